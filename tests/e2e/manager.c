/*
 * manager.c - the half of a service manager that listens: appends each datagram that comes to a
 * socket to a file, as one line. test_master.sh compiles and runs it.
 *
 *	manager SOCKET FILE	an @ in front of the socket: an abstract name
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (strlen(name) >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@')
		address.sun_path[0] = '\0';
	return fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	int from = argc == 3 ? listen_at(argv[1]) : -1;
	int to = from < 0 ? -1 : open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
	char text[1024];
	ssize_t length;

	if (to < 0) {
		perror("manager");
		return 1;
	}
	while ((length = recv(from, text, sizeof text - 1, 0)) >= 0) {
		for (ssize_t i = 0; i < length; i++)
			text[i] = (char)(text[i] == '\n' ? ' ' : text[i]);
		text[length++] = '\n';
		if (write(to, text, (size_t)length) != length)
			return 1;
	}
	return 1;
}
