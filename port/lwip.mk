# Which of lwIP's source files are compiled: TCP, UDP (for DHCP), IPv4 and the socket API. What
# lwipopts.h switches off compiles to nothing. The list is that of lwIP 2.2.1's src/Filelists.mk,
# without IPv6, PPP, SLIP and 6LoWPAN.
LWIP_FILES := \
	$(addprefix core/, altcp altcp_alloc altcp_tcp def dns inet_chksum init ip mem memp netif pbuf \
		raw stats sys tcp tcp_in tcp_out timeouts udp) \
	$(addprefix core/ipv4/, acd autoip dhcp etharp icmp igmp ip4 ip4_addr ip4_frag) \
	$(addprefix api/, api_lib api_msg err if_api netbuf netdb netifapi sockets tcpip) \
	netif/ethernet
