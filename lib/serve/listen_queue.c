/*
 * listen_queue.c - how many connections wait to be accepted. Of TCP the socket itself tells; of a
 * unix socket the kernel tells ss(8), and us, over netlink.
 */
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/scoreboard_parts.h"

enum { ATTRIBUTE = sizeof(struct nlattr) };

struct question {
	struct nlmsghdr head;
	struct unix_diag_req diag;
};

/* One socket, which its inode names. */
static bool ask(int netlink, uint32_t inode)
{
	struct question question = {
		.head = { .nlmsg_len = sizeof question,
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.diag = { .sdiag_family = AF_UNIX,
			  .udiag_states = UINT32_MAX,
			  .udiag_ino = inode,
			  .udiag_show = UDIAG_SHOW_RQLEN,
			  .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
	};

	return send(netlink, &question, sizeof question, 0) == (ssize_t)sizeof question;
}

/* Of a listening socket the two lengths are those of its queue. */
static bool find_lengths(const char *answer, size_t length, struct unix_diag_rqlen *lengths)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct unix_diag_msg));
	struct nlmsghdr head;
	struct nlattr attribute;

	if (length < sizeof head)
		return false;
	memcpy(&head, answer, sizeof head);
	length = head.nlmsg_len < length ? head.nlmsg_len : length;
	while (head.nlmsg_type == SOCK_DIAG_BY_FAMILY && at + sizeof attribute <= length) {
		memcpy(&attribute, answer + at, sizeof attribute);
		if (attribute.nla_len < sizeof attribute || attribute.nla_len > length - at)
			return false;
		if (attribute.nla_type == UNIX_DIAG_RQLEN &&
		    attribute.nla_len >= ATTRIBUTE + sizeof *lengths) {
			memcpy(lengths, answer + at + ATTRIBUTE, sizeof *lengths);
			return true;
		}
		at += (attribute.nla_len + 3U) & ~3U;
	}
	return false;
}

static bool unix_queue(int fd, uint64_t *waiting, uint64_t *most)
{
	struct unix_diag_rqlen lengths;
	char answer[1024];
	struct stat socket_of;
	ssize_t length = -1;
	int netlink;

	if (fstat(fd, &socket_of) != 0)
		return false;
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (netlink < 0)
		return false;
	/* the kernel answers before send() returns: there is nothing to wait for */
	if (ask(netlink, (uint32_t)socket_of.st_ino))
		length = recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
	close(netlink);
	if (length < 0 || !find_lengths(answer, (size_t)length, &lengths))
		return false;
	*waiting = lengths.udiag_rqueue;
	*most = lengths.udiag_wqueue;
	return true;
}

static bool tcp_queue(int fd, uint64_t *waiting, uint64_t *most)
{
	struct tcp_info info;
	socklen_t length = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
		return false;
	*waiting = info.tcpi_unacked;
	*most = info.tcpi_sacked;
	return true;
}

bool ath_listen_queue(int fd, uint64_t *waiting, uint64_t *most)
{
	int domain = -1;
	socklen_t length = sizeof domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0)
		return false;
	return domain == AF_UNIX ? unix_queue(fd, waiting, most) : tcp_queue(fd, waiting, most);
}
