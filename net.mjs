import "node:net"
