/*
 * application.c - what `make bench` measures: the users of app/, a JSON answer that needs no
 * database, and an upload.
 */
#include <cjson/cJSON.h>

#include "../../app/handlers.h"
#include "../../app/models.h"

enum { MOST_UPLOAD = 2 * 1024 * 1024 };

static struct ath_response *hello(struct ath_request *request)
{
	cJSON *document = cJSON_CreateObject();

	cJSON_AddStringToObject(document, "message", "Hello, world!");
	return ath_response_json(request, 200, document);
}

/* As the others do it: in constant memory. */
static struct ath_response *upload(struct ath_request *request)
{
	char bytes[4096];
	double total = 0;
	ptrdiff_t length;

	while ((length = ath_body_read(request, bytes, sizeof bytes)) > 0)
		total += (double)length;
	return ath_response_json(request, 200, cJSON_CreateNumber(total));
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),
	ATH_ROUTE(POST, "/upload", upload, .max_body = MOST_UPLOAD, .stream_body = true),
	ATH_ROUTE(GET, "/users", list_users),
	ATH_ROUTE(POST, "/users", create_user),
	ATH_ROUTE(GET, "/users/<id:int>", show_user),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct ath_app bench = {
		.name = "bench",
		.version = "1.0.0",
		.routes = routes,
		.models = models,
	};

	return ath_main(&bench, argc, argv);
}
