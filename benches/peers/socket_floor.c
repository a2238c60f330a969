/* What a request and its answer cost before anybody has done anything: one read, one write, the same bytes every time.
 * Understands no HTTP. The least that a server with one request under way per connection can take on this machine.
 *
 *   socket_floor PORT ANSWER_BYTES
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int must(int result, const char *what) {
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

static void watch(int epoll, int socket) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    size_t answer_bytes = strtoul(arguments[2], NULL, 10);
    char *answer = malloc(answer_bytes + 1);
    /* The head is padded by the body, so that all of it is as long as told. */
    char head[128];
    int head_bytes = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: ");
    size_t body_bytes = answer_bytes - head_bytes - 8;
    head_bytes = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %04zu\r\n\r\n", body_bytes);
    memset(answer, ' ', answer_bytes);
    memcpy(answer, head, head_bytes);

    int one = 1;
    int listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    must(listen(listener, 512), "listen");
    int epoll = must(epoll_create1(0), "epoll_create1");
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[256];
        int ready = must(epoll_wait(epoll, events, 256, -1), "epoll_wait");
        for (int i = 0; i < ready; i++) {
            int socket = events[i].data.fd;
            if (socket == listener) {
                socket = must(accept4(listener, NULL, NULL, SOCK_NONBLOCK), "accept4");
                setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(epoll, socket);
                continue;
            }
            char request[8192];
            if (recv(socket, request, sizeof request, 0) <= 0) {
                close(socket);
                continue;
            }
            send(socket, answer, head_bytes + body_bytes, MSG_NOSIGNAL);
        }
    }
}
