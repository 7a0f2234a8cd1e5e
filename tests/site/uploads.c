/* uploads.c - forms with files of any size, on disk while they come. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "site.h"

/* field, file name, its length, the sum of its bytes as that of "sum -r", unnamed files in TMPDIR
 */
static struct ath_response *form(struct ath_request *req)
{
	const struct ath_file *file = ath_form_file(req, "file");
	const char *field = ath_form(req, "field");
	unsigned sum = 0;

	if (file == NULL)
		return ath_problem(req, 422, "send a file");
	for (size_t i = 0; i < file->data.length; i++)
		sum = ((sum >> 1 | sum << 15) + (unsigned char)file->data.data[i]) & 0xffff;
	return say(req, "%s %s %zu %u", or_dash(field), file->filename, file->data.length, sum);
}

static struct ath_response *save(struct ath_request *req)
{
	const char *directory = getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR");
	const char *path = ath_arena_printf(ath_request_arena(req), "%s/%s", directory,
					    ath_path_str(req, "name"));

	if (!ath_file_save(req, ath_form_file(req, "file"), path))
		return ath_problem(req, 422, "send a file");
	return say(req, "%s", path);
}

const struct ath_route uploads_routes[] = {
	ATH_ROUTE(POST, "/form", form, .stream_body = true),
	ATH_ROUTE(POST, "/memory", form),
	ATH_ROUTE(POST, "/save/<name:slug>", save, .stream_body = true),
	{ 0 },
};
