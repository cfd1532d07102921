/* Finds the owner of the other end of a connection. Must not guess: an end that is not found, not
 * answered for or not alive has no owner.
 *
 * Who controls what: any user of the machine may connect, send, close or reset at any moment, and
 * try to have another user's socket at the same address later. So only a socket counts that a
 * process holds now (an orphan has inode 0, and uid 0 with it) and that is past its handshake. The
 * code can know that it is the other end of this connection, and not of a later one between the
 * same ports, only while our end is alive: the kernel has one connection for two addresses and two
 * ports. A reset ends ours, frees the address, and leaves the bytes sent before it to be read. So
 * after the question the code asks our end for an error. Without one, our end was alive all the
 * time until then, and every byte in it, now or later, came from the socket that was found. */
#include "helper/relay/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

/* include/net/tcp_states.h, which the kernel does not export. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5 };

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static int ask(int diag, const struct sockaddr_in *peer, in_port_t port, unsigned number)
{
	struct question question = {
	    .header = {.nlmsg_len = sizeof(question),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST,
		       .nlmsg_seq = number},
	    .body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u},
	};

	question.body.id.idiag_sport = peer->sin_port;
	question.body.id.idiag_src[0] = peer->sin_addr.s_addr;
	question.body.id.idiag_dport = htons(port);
	question.body.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	question.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return send(diag, &question, sizeof(question), 0) == (ssize_t)sizeof(question) ? 0 : -1;
}

/* The kernel has answered before send returns. It skips the answer to an older question. */
static bool take_answer(int diag, unsigned number, struct inet_diag_msg *ret)
{
	union {
		struct nlmsghdr header;
		char bytes[8192];
	} answer;
	ssize_t n;

	do {
		struct sockaddr_nl from = {0};
		socklen_t length = sizeof(from);

		n = recvfrom(diag, &answer, sizeof(answer), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &length);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && from.nl_pid != 0)
			n = 0; /* (not from the kernel) */
	} while (n < (ssize_t)sizeof(answer.header) || answer.header.nlmsg_seq != number);
	if (answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    n < (ssize_t)NLMSG_LENGTH(sizeof(*ret)))
		return false;
	memcpy(ret, NLMSG_DATA(&answer.header), sizeof(*ret));
	return true;
}

static bool is_asked_for(const struct inet_diag_msg *found, const struct sockaddr_in *peer,
			 in_port_t port)
{
	return found->id.idiag_sport == peer->sin_port && found->id.idiag_dport == htons(port);
}

bool ces_peer_sound(int fd)
{
	int error = 0;
	socklen_t length = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

enum ces_peer ces_peer_find(int diag, int accepted, const struct sockaddr_in *peer, in_port_t port,
			    uid_t *ret_uid)
{
	static unsigned number;
	struct inet_diag_msg found;

	if (peer->sin_family != AF_INET || ask(diag, peer, port, ++number) < 0 ||
	    !take_answer(diag, number, &found) || !is_asked_for(&found, peer, port))
		return CES_PEER_GONE;
	if (found.idiag_inode == 0 ||
	    (found.idiag_state != ESTABLISHED && found.idiag_state != FIN_WAIT1 &&
	     found.idiag_state != FIN_WAIT2) ||
	    !ces_peer_sound(accepted))
		return CES_PEER_GONE;
	*ret_uid = found.idiag_uid;
	return CES_PEER_KNOWN;
}
