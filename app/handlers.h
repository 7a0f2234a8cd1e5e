/* handlers.h - the application, and one function per route. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include <athanor.h>

/** app.c: without main.c a test has all of it. */
extern const struct ath_app app;

/* users.c */
struct ath_response *list_users(struct ath_request *req);
struct ath_response *create_user(struct ath_request *req);
struct ath_response *show_user(struct ath_request *req);
struct ath_response *change_user(struct ath_request *req);
struct ath_response *delete_user(struct ath_request *req);

/* posts.c */
struct ath_response *list_user_posts(struct ath_request *req);
struct ath_response *list_posts(struct ath_request *req);
struct ath_response *create_post(struct ath_request *req);
struct ath_response *show_post(struct ath_request *req);
struct ath_response *delete_post(struct ath_request *req);

#endif
