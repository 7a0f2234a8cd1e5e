/*
 * sockets.c - the sockets that an application is served on: systemd's, spawn-fcgi's, or made here.
 *
 * A unix socket that is made here gets a name of its own first, and is moved to its path when it
 * listens, with its mode and its group: at no moment is there a path without a server, or with one
 * that is open to all.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/master.h"

enum { FIRST_PASSED = 3, MOST_PASSED = 16 };

static const char unix_prefix[] = "unix:";

/* ---- those that were given ------------------------------------------------------------------- */

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t length = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

/* Are there sockets that systemd has passed to this very process? */
static bool is_passed(const char **count)
{
	const char *pid = getenv("LISTEN_PID");
	int64_t number;

	*count = getenv("LISTEN_FDS");
	return *count != NULL && pid != NULL && ath_text_int64(ath_text(pid), &number) &&
	       number == getpid();
}

bool ath_socket_is_given(void)
{
	const char *count;

	return is_passed(&count) || is_listening(STDIN_FILENO) || ath_upgrade_is_under_way() ||
	       ath_upgrade_is_trial();
}

static enum ath_status put_given(struct ath_socket *socket, int fd, const char *what,
				 struct ath_error *error)
{
	if (!is_listening(fd))
		return ath_error_set(error, ATH_EINVAL,
				     "LISTEN_FDS: descriptor %d is no socket that listens", fd);
	if (socket->fd >= 0)
		return ath_error_set(error, ATH_EINVAL,
				     "LISTEN_FDS: two sockets for %s: pass one, and name one for "
				     "/-/status \"status\" (FileDescriptorName=)",
				     what);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	socket->fd = fd;
	return ATH_OK;
}

/* The next of names that colons separate. */
static struct ath_text next_name(const char **names)
{
	size_t length = *names == NULL ? 0 : strcspn(*names, ":");
	struct ath_text name = { *names, length };

	if (*names != NULL)
		*names += length + ((*names)[length] == ':');
	return name;
}

static enum ath_status take_passed(struct ath_sockets *sockets, const char *text,
				   struct ath_error *error)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int64_t count;

	if (!ath_text_int64(ath_text(text), &count) || count < 1 || count > MOST_PASSED)
		return ath_error_set(error, ATH_EINVAL,
				     "LISTEN_FDS is the number of sockets, 1 to %d, not \"%s\"",
				     MOST_PASSED, text);
	for (int i = 0; i < (int)count && error->status == ATH_OK; i++) {
		if (ath_text_is(next_name(&names), "status"))
			(void)put_given(&sockets->status, FIRST_PASSED + i, "status", error);
		else
			(void)put_given(&sockets->application, FIRST_PASSED + i, "the application",
					error);
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return error->status;
}

/* ---- unix sockets ---------------------------------------------------------------------------- */

static enum ath_status set_path(struct sockaddr_un *address, const char *option, const char *path,
				struct ath_error *error)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*path == '\0' || strlen(path) >= sizeof address->sun_path)
		return ath_error_set(error, ATH_EINVAL,
				     "%s: the path of a unix socket has 1 to %zu bytes, not %zu",
				     option, sizeof address->sun_path - 1, strlen(path));
	memcpy(address->sun_path, path, strlen(path));
	return ATH_OK;
}

static bool connects(const struct sockaddr_un *address, int *reason)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool connected =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

	*reason = errno;
	if (fd >= 0)
		close(fd);
	return connected || *reason == EAGAIN; /* its backlog is full */
}

/* What is at the path may be a socket that a server has left behind, and nothing else. */
static enum ath_status look_at_path(const struct sockaddr_un *address, const char *option,
				    struct ath_error *error)
{
	const char *path = address->sun_path;
	struct stat found;
	int reason;

	if (lstat(path, &found) != 0)
		return ATH_OK; /* what else may be wrong with it bind() will tell */
	if (!S_ISSOCK(found.st_mode))
		return ath_error_set(error, ATH_EIO,
				     "%s: %s is there and is no socket: take another path", option,
				     path);
	if (connects(address, &reason))
		return ath_error_set(
			error, ATH_EIO,
			"%s: another server serves on %s: stop it, or take another path", option,
			path);
	if (reason != ECONNREFUSED && reason != ENOENT)
		return ath_error_set(error, ATH_EIO,
				     "%s: it cannot be seen whether a server serves on %s: %s",
				     option, path, strerror(reason));
	return ATH_OK;
}

static enum ath_status refuse_path(const char *option, const char *path, struct ath_error *error)
{
	const char *advice = errno == ENOENT || errno == ENOTDIR ? ": make its directory first"
			     : errno == EACCES ? ": this user may not write to its directory"
					       : "";

	return ath_error_set(error, ATH_EIO, "%s: %s cannot be made: %s%s", option, path,
			     strerror(errno), advice);
}

/* Of whom it is, and who may connect. Nothing is asked of the system that need not be. */
static enum ath_status give_away(const char *path, const char *option,
				 const struct ath_configuration *configuration,
				 const struct ath_identity *identity, struct ath_error *error)
{
	uid_t user = identity->change ? identity->user : (uid_t)-1;
	gid_t group = identity->change ? identity->group : (gid_t)-1;
	const char *named = configuration->listen_group;

	if (named != NULL && !ath_group_find(named, &group))
		return ath_error_set(error, ATH_EINVAL, "listen-group: there is no group \"%s\"",
				     named);
	if ((user != (uid_t)-1 || group != (gid_t)-1) && chown(path, user, group) != 0)
		return ath_error_set(error, ATH_EIO, "%s: the socket cannot be given to %s: %s",
				     named == NULL ? option : "listen-group",
				     named == NULL ? "the other user" : named, strerror(errno));
	if (chmod(path, (mode_t)configuration->listen_mode) != 0)
		return refuse_path(option, path, error);
	return ATH_OK;
}

/* In the directory of the path, under a name that nobody else takes. */
static enum ath_status make_under(struct sockaddr_un *address, const char *option, const char *path,
				  struct ath_error *error)
{
	const char *slash = strrchr(path, '/');
	int directory = slash == NULL ? 0 : (int)(slash - path) + 1;
	int length;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	length = snprintf(address->sun_path, sizeof address->sun_path, "%.*s.%x", directory, path,
			  (unsigned)getpid());
	if (length >= (int)sizeof address->sun_path)
		return ath_error_set(error, ATH_EINVAL,
				     "%s: the directory of %s has %d bytes: "
				     "take a shorter one",
				     option, path, directory);
	(void)unlink(address->sun_path); /* of a process that had this number before */
	return ATH_OK;
}

static enum ath_status open_unix(struct ath_socket *socket_, const char *option,
				 const struct ath_configuration *configuration,
				 const struct ath_identity *identity, struct ath_error *error)
{
	const char *path = socket_->address + strlen(unix_prefix);
	struct sockaddr_un address, under;
	int fd = -1;

	if (set_path(&address, option, path, error) != ATH_OK ||
	    make_under(&under, option, path, error) != ATH_OK ||
	    look_at_path(&address, option, error) != ATH_OK)
		return error->status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&under, sizeof under) != 0) {
		(void)refuse_path(option, path, error);
		if (fd >= 0)
			close(fd);
		return error->status;
	}
	if (give_away(under.sun_path, option, configuration, identity, error) == ATH_OK &&
	    (listen(fd, (int)configuration->backlog) != 0 || rename(under.sun_path, path) != 0))
		(void)refuse_path(option, path, error);
	if (error->status != ATH_OK) {
		(void)unlink(under.sun_path);
		close(fd);
		return error->status;
	}
	socket_->fd = fd;
	return ATH_OK;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

/* HOST:PORT or [HOST]:PORT, each into a string of its own; an empty host: all addresses. */
static bool split(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t length = colon == NULL ? 0 : (size_t)(colon - address);
	int64_t number;

	if (colon == NULL)
		return false;
	*port = colon + 1;
	if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	} else if (memchr(address, ':', length) != NULL) {
		return false; /* of IPv6, and where it ends nobody knows */
	}
	if (length >= size || !ath_text_int64(ath_text(*port), &number) || number < 1 ||
	    number > 65535)
		return false;
	memcpy(host, address, length);
	host[length] = '\0';
	return true;
}

/* What the kernel knows of a listening socket its connections have, too. */
static int listen_at(const struct addrinfo *at, int backlog)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, reason;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0)
		return fd;
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

static const char *advice_for_port(void)
{
	switch (errno) {
	case EADDRINUSE:
		return "another server has it: stop it, or take another port";
	case EACCES:
		return "ports below 1024 are root's: take another port";
	case EADDRNOTAVAIL:
		return "it is no address of this machine";
	default:
		return strerror(errno);
	}
}

static enum ath_status open_tcp(struct ath_socket *socket_, const char *option, int backlog,
				struct ath_error *error)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	const char *port;
	char host[256];
	int result;

	if (!split(socket_->address, host, sizeof host, &port))
		return ath_error_set(error, ATH_EINVAL,
				     "%s is unix:PATH, HOST:PORT or [ADDRESS]:PORT, not \"%s\"",
				     option, socket_->address);
	result = getaddrinfo(*host == '\0' || strcmp(host, "*") == 0 ? NULL : host, port, &hints,
			     &found);
	if (result != 0)
		return ath_error_set(error, ATH_EIO, "%s: %s: %s", option, socket_->address,
				     gai_strerror(result));
	for (const struct addrinfo *at = found; at != NULL && socket_->fd < 0; at = at->ai_next)
		socket_->fd = listen_at(at, backlog);
	freeaddrinfo(found);
	if (socket_->fd < 0)
		return ath_error_set(error, ATH_EIO, "%s: %s: %s", option, socket_->address,
				     advice_for_port());
	return ATH_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

static bool is_unix(const char *address)
{
	return strncmp(address, unix_prefix, strlen(unix_prefix)) == 0;
}

static enum ath_status open_one(struct ath_socket *socket, const char *option, const char *address,
				const struct ath_configuration *configuration,
				const struct ath_identity *identity, struct ath_error *error)
{
	if (address == NULL)
		return ATH_OK;
	if (socket->fd >= 0)
		return ath_error_set(
			error, ATH_EINVAL,
			"two sockets: one was given, and %s is %s: leave one of them out", option,
			address);
	socket->address = address;
	if (is_unix(address))
		return open_unix(socket, option, configuration, identity, error);
	return open_tcp(socket, option, (int)configuration->backlog, error);
}

static enum ath_status take_given(struct ath_sockets *sockets, struct ath_error *error)
{
	const char *passed;

	if (is_passed(&passed))
		return take_passed(sockets, passed, error);
	if (is_listening(STDIN_FILENO))
		sockets->application.fd = STDIN_FILENO;
	return ATH_OK;
}

enum ath_status ath_sockets_open(struct ath_sockets *sockets,
				 const struct ath_configuration *configuration,
				 const struct ath_identity *identity, struct ath_error *error)
{
	struct ath_socket *application = &sockets->application, *status = &sockets->status;

	if (application->fd >= 0) /* of the master before us */
		return ATH_OK;
	if (take_given(sockets, error) == ATH_OK &&
	    open_one(application, "listen", configuration->listen, configuration, identity,
		     error) == ATH_OK &&
	    application->fd < 0)
		ath_error_set(error, ATH_EINVAL,
			      "no listening socket: name one with --listen unix:PATH or HOST:PORT, "
			      "or start it with spawn-fcgi or systemd");
	if (error->status == ATH_OK)
		(void)open_one(status, "status-listen", configuration->status_listen, configuration,
			       identity, error);
	return error->status;
}

static void close_one(struct ath_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

void ath_sockets_close(struct ath_sockets *sockets)
{
	close_one(&sockets->application);
	close_one(&sockets->status);
}

static void remove_one(const struct ath_socket *socket)
{
	if (socket->fd >= 0 && socket->address != NULL && is_unix(socket->address))
		(void)unlink(socket->address + strlen(unix_prefix));
}

void ath_sockets_remove(const struct ath_sockets *sockets)
{
	remove_one(&sockets->application);
	remove_one(&sockets->status);
}
