/*
 * test_upload.c - multipart forms that are read as they come, over the FastCGI server on a real
 * socket: large files go to disk, and the memory of the request stays small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fcgi_server.h"

enum { SMALL_ARENA = 1024 * 1024, SMALL_BODY = 100 * 1024 };

static char directory[] = "/tmp/athanor-upload-XXXXXX";

/* ---- handlers ------------------------------------------------------------------------------- */

static unsigned sum_of(const char *data, size_t length)
{
	unsigned sum = 0;

	for (size_t i = 0; i < length; i++)
		sum = sum * 31 + (unsigned char)data[i];
	return sum;
}

/* name=value filename type length sum */
static struct ath_response *form(struct ath_request *request)
{
	const struct ath_file *file = ath_form_file(request, "file");
	const char *name = ath_form(request, "name");
	char text[200];

	snprintf(text, sizeof text, "%.20s %zu %s %s %zu %u", name == NULL ? "-" : name,
		 name == NULL ? 0 : strlen(name), file == NULL ? "-" : file->filename,
		 file == NULL ? "-" : file->content_type, file == NULL ? 0 : file->data.length,
		 file == NULL ? 0 : sum_of(file->data.data, file->data.length));
	return ath_response_text(request, 200, text);
}

static struct ath_response *save(struct ath_request *request)
{
	const struct ath_file *file = ath_form_file(request, "file");
	const char *path =
		ath_arena_printf(ath_request_arena(request), "%s/%s",
				 ath_arg(request, "in") == NULL ? directory : "/nowhere", "saved");

	if (!ath_file_save(request, file, path))
		return ath_problem(request, 418, "not saved");
	return ath_response_text(request, 201, path);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/form", form, .stream_body = true),
	ATH_ROUTE(POST, "/memory", form, .max_body = 200000),
	ATH_ROUTE(POST, "/limited", form, .stream_body = true, .max_body = 200000),
	ATH_ROUTE(POST, "/save", save, .stream_body = true),
	{ 0 },
};

/* ---- the fixture ------------------------------------------------------------------------------
 */

static int peer;

static int set_up(void **state)
{
	(void)state;
	server_set_up();
	start_server(routes, (struct ath_web_limits){ .arena = SMALL_ARENA, .body = SMALL_BODY });
	server.web.spool = directory;
	peer = connect_peer();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(peer);
	stop_server();
	server_tear_down();
	return 0;
}

static char pattern(size_t at)
{
	return (char)('a' + at % 26 + at / 65536 % 3);
}

static char *new_pattern(size_t length)
{
	char *bytes = malloc(length + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = pattern(i);
	return bytes;
}

/* Parts of this head and data, and the end. */
static void put_part(struct ath_buffer *body, const char *disposition, const char *data,
		     size_t length)
{
	ath_buffer_string(body, "--xx\r\nContent-Disposition: form-data; ");
	ath_buffer_string(body, disposition);
	ath_buffer_string(body, "\r\n\r\n");
	ath_buffer_append(body, data, length);
	ath_buffer_string(body, "\r\n");
}

/* As a stream of records of so many bytes. */
static void send_form(const char *uri, const struct ath_buffer *body, size_t piece)
{
	struct ath_buffer bytes, params;
	char length[24];

	bytes_init(&bytes);
	bytes_init(&params);
	snprintf(length, sizeof length, "%zu", body->length);
	put_usual_pairs(&params, "POST", uri);
	put_pair(&params, "CONTENT_TYPE", "multipart/form-data; boundary=xx");
	put_pair(&params, "CONTENT_LENGTH", length);
	put_begin(&bytes, 1, FCGI_RESPONDER, true);
	put_stream(&bytes, FCGI_PARAMS, 1, params.data, params.length);
	put_record(&bytes, FCGI_PARAMS, 1, NULL, 0);
	ath_buffer_free(&params);
	for (size_t at = 0; at < body->length; at += piece)
		put_record(&bytes, FCGI_STDIN, 1, body->data + at,
			   body->length - at < piece ? body->length - at : piece);
	put_record(&bytes, FCGI_STDIN, 1, NULL, 0);
	send_bytes(peer, &bytes);
}

static size_t entries(void)
{
	DIR *all = opendir(directory);
	size_t count = 0;

	assert_non_null(all);
	for (struct dirent *entry; (entry = readdir(all)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(all);
	return count;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

/* A name and a file of so many bytes, in pieces of that many. */
static void upload(const char *uri, size_t length, size_t piece)
{
	char *bytes = new_pattern(length), wanted[100];
	struct ath_buffer body;

	bytes_init(&body);
	put_part(&body, "name=name", "Ada", 3);
	put_part(&body, "name=file; filename=\"C:\\\\dir\\\\a.txt\"", bytes, length);
	ath_buffer_string(&body, "--xx--\r\nepilogue");
	send_form(uri, &body, piece);
	snprintf(wanted, sizeof wanted, "Ada 3 a.txt  %zu %u", length, sum_of(bytes, length));
	assert_answer(peer, 200, wanted);
	ath_buffer_free(&body);
	free(bytes);
}

static void files_of_all_lengths(void **state)
{
	static const size_t lengths[] = { 0,     1,      2000,   65535,   65536,
					  65537, 131072, 300000, 5000000, 40 * 1024 * 1024 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(lengths); i++) {
		upload("/form", lengths[i], 65535);
		if (lengths[i] < 200000)
			upload("/memory", lengths[i], 65535);
		if (lengths[i] < 400000)
			upload("/form", lengths[i], 997);
		if (lengths[i] < 3000)
			upload("/form", lengths[i], 1);
	}
	assert_int_equal(entries(), 0);
}

/* The mark where two reads meet, and what looks like a mark and is none. */
static void marks_in_every_place(void **state)
{
	static const char almost[] = "\r\n--x\r\n--\r\r\n--x-x\r\n-\r\n";
	struct ath_buffer body, data;
	char wanted[100];

	(void)state;
	for (size_t length = 65200; length < 65560; length++) {
		bytes_init(&data);
		bytes_init(&body);
		while (data.length < length)
			ath_buffer_string(&data, "z");
		ath_buffer_string(&data, almost);
		put_part(&body, "name=\"file\"; filename=a", data.data, data.length);
		put_part(&body, "name=name", "Jo", 2);
		ath_buffer_string(&body, "--xx--");
		send_form("/form", &body, 65535);
		snprintf(wanted, sizeof wanted, "Jo 2 a  %zu %u", data.length,
			 sum_of(data.data, data.length));
		assert_answer(peer, 200, wanted);
		ath_buffer_free(&data);
		ath_buffer_free(&body);
	}
}

static void refuse(struct ath_buffer *body, const char *uri, int status, const char *says)
{
	struct answer answer;

	send_form(uri, body, 65535);
	assert_true(receive_answer(peer, &answer));
	if (answer.status != status || strstr(answer.bytes.data, says) == NULL)
		fail_msg("%s", answer.bytes.data);
	answer_free(&answer);
	ath_buffer_free(body);
	bytes_init(body);
	assert_int_equal(entries(), 0);
}

static void what_is_wrong_is_refused(void **state)
{
	char *bytes = new_pattern(4000000);
	struct ath_buffer body;

	(void)state;
	bytes_init(&body);
	put_part(&body, "name=name", bytes, 90000);
	put_part(&body, "name=more", bytes, 20000);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/form", 413, "at most 102400 bytes of fields");

	put_part(&body, "name=file; filename=a", bytes, 200000);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/limited", 413, "at most 200000 bytes");

	put_part(&body, "name=file; filename=a", bytes, 4000000);
	refuse(&body, "/form", 400, "not well formed");

	ath_buffer_append(&body, bytes, 100000);
	refuse(&body, "/form", 400, "not well formed");

	ath_buffer_string(&body, "--xx\r\nContent-Disposition: form-data; name=");
	ath_buffer_append(&body, bytes, 9000);
	ath_buffer_string(&body, "\r\n\r\n1\r\n--xx--");
	refuse(&body, "/form", 400, "not well formed");

	put_part(&body, "name=name", "a\xff", 2);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/form", 400, "not well formed");

	for (int i = 0; i <= 1000; i++)
		put_part(&body, "name=name", "", 0);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/form", 400, "not well formed");
	upload("/form", 100, 65535);
	ath_buffer_free(&body);
	free(bytes);
}

/* Each is small, and all of them are more than the request may have in memory. */
static void many_small_files_go_to_disk(void **state)
{
	char *bytes = new_pattern(60000), wanted[100];
	struct ath_buffer body;

	(void)state;
	bytes_init(&body);
	put_part(&body, "name=name", "Ada", 3);
	for (int i = 0; i < 40; i++)
		put_part(&body, "name=other; filename=b", bytes, (size_t)60000 - (size_t)i);
	put_part(&body, "name=file; filename=a", bytes, 50000);
	put_part(&body, "name=file; filename=empty", "", 0);
	ath_buffer_string(&body, "--xx--");
	send_form("/form", &body, 65535);
	snprintf(wanted, sizeof wanted, "Ada 3 a  50000 %u", sum_of(bytes, 50000));
	assert_answer(peer, 200, wanted);
	assert_int_equal(entries(), 0);
	ath_buffer_free(&body);
	free(bytes);
}

static void urlencoded_forms_too(void **state)
{
	struct ath_buffer bytes, params, fields;
	char *long_value = new_pattern(50000);

	(void)state;
	for (int good = 1; good >= 0; good--) {
		bytes_init(&bytes);
		bytes_init(&params);
		bytes_init(&fields);
		ath_buffer_string(&fields, "a=b&name=Jo%20&b=");
		for (int i = good; i < 3; i++)
			ath_buffer_append(&fields, long_value, 50000);
		put_usual_pairs(&params, "POST", "/form");
		put_pair(&params, "CONTENT_TYPE", "application/x-www-form-urlencoded");
		put_begin(&bytes, 1, FCGI_RESPONDER, true);
		put_stream(&bytes, FCGI_PARAMS, 1, params.data, params.length);
		put_record(&bytes, FCGI_PARAMS, 1, NULL, 0);
		put_stream(&bytes, FCGI_STDIN, 1, fields.data, fields.length);
		put_record(&bytes, FCGI_STDIN, 1, NULL, 0);
		send_bytes(peer, &bytes);
		if (good)
			assert_answer(peer, 200, "Jo  3 - - 0 0");
		else
			assert_answer(peer, 413, NULL);
		ath_buffer_free(&params);
		ath_buffer_free(&fields);
	}
	free(long_value);
}

/* The client leaves in the middle of a file. */
static void a_client_that_leaves_takes_its_file_along(void **state)
{
	char *bytes = new_pattern(300000);
	struct ath_buffer body, params, part;

	(void)state;
	bytes_init(&body);
	bytes_init(&params);
	bytes_init(&part);
	put_usual_pairs(&params, "POST", "/form");
	put_pair(&params, "CONTENT_TYPE", "multipart/form-data; boundary=xx");
	put_begin(&body, 1, FCGI_RESPONDER, true);
	put_stream(&body, FCGI_PARAMS, 1, params.data, params.length);
	put_record(&body, FCGI_PARAMS, 1, NULL, 0);
	put_part(&part, "name=file; filename=a", bytes, 300000);
	put_stream(&body, FCGI_STDIN, 1, part.data, part.length);
	send_bytes(peer, &body);
	close(peer);
	peer = connect_peer();
	upload("/form", 100000, 65535);
	assert_int_equal(entries(), 0);
	ath_buffer_free(&params);
	ath_buffer_free(&part);
	free(bytes);
}

static void files_are_saved(void **state)
{
	char *bytes = new_pattern(300000), path[100], *read_back = malloc(300001);
	struct ath_buffer body;
	struct stat status;
	FILE *file;

	(void)state;
	snprintf(path, sizeof path, "%s/saved", directory);
	for (size_t length = 300000; length > 0; length /= 10) {
		bytes_init(&body);
		put_part(&body, "name=file; filename=a", bytes, length);
		ath_buffer_string(&body, "--xx--");
		send_form("/save", &body, 65535);
		assert_answer(peer, 201, path);
		file = fopen(path, "r");
		assert_non_null(file);
		assert_int_equal(fread(read_back, 1, 300001, file), length);
		assert_memory_equal(read_back, bytes, length);
		fclose(file);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0644);
		assert_int_equal(entries(), 1);
		send_form("/save?in=nowhere", &body, 65535);
		assert_answer(peer, 507, NULL);
		ath_buffer_free(&body);
	}
	assert_int_equal(unlink(path), 0);
	free(bytes);
	free(read_back);
}

/* A disk that is full, here by the limit of a process for the length of files. */
static void a_full_disk_is_told(void **state)
{
	struct rlimit old, small = { 100000, 100000 };
	char *bytes = new_pattern(300000);
	struct ath_buffer body;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	bytes_init(&body);
	put_part(&body, "name=file; filename=a", bytes, 300000);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/form", 507, "cannot be stored");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	server.web.spool = "/nowhere";
	put_part(&body, "name=file; filename=a", bytes, 300000);
	ath_buffer_string(&body, "--xx--");
	refuse(&body, "/form", 507, "cannot be stored");
	ath_buffer_free(&body);
	free(bytes);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		row(files_of_all_lengths),     row(marks_in_every_place),
		row(what_is_wrong_is_refused), row(many_small_files_go_to_disk),
		row(urlencoded_forms_too),     row(a_client_that_leaves_takes_its_file_along),
		row(files_are_saved),          row(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
