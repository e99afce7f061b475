# Which of lwIP's source files are compiled: TCP, UDP, IPv4, IPv6, the socket API, and the
# applications that go with them. What lwipopts.h switches off compiles to nothing. The list is that
# of lwIP 2.2.1's src/Filelists.mk, without PPP, SLIP and 6LoWPAN.
LWIP_FILES := \
	$(addprefix core/, altcp altcp_alloc altcp_tcp def dns inet_chksum init ip mem memp netif pbuf \
		raw stats sys tcp tcp_in tcp_out timeouts udp) \
	$(addprefix core/ipv4/, acd autoip dhcp etharp icmp igmp ip4 ip4_addr ip4_frag) \
	$(addprefix core/ipv6/, dhcp6 ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) \
	$(addprefix api/, api_lib api_msg err if_api netbuf netdb netifapi sockets tcpip) \
	$(addprefix apps/, mdns/mdns mdns/mdns_domain mdns/mdns_out sntp/sntp) \
	netif/ethernet
