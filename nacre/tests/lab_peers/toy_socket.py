"""toy-socket, either end, written from its wire format alone, with nothing but plain sockets. Lines come from standard
input, what is heard goes to standard output.

    toy_socket.py serve         prints the port; serves one client
    toy_socket.py join PORT
    toy_socket.py cipher KEY TEXT
"""

import base64
import math
import random
import socket
import sys

P, G = 65521, 3
PRIMES = [n for n in range(256, 512) if all(n % d for d in range(2, 23))]


def encrypt(key, text):
    fill = 4 - len(text) % 4
    text += bytes([fill]) * fill
    wide = bytes([key >> 8, key & 255]) * 2
    out = b""
    for start in range(0, len(text), 4):
        block = [(167 * (a ^ b) + 13) % 256 for a, b in zip(text[start : start + 4], wide)]
        word = int.from_bytes(bytes(block), "big")
        word = (word << 5 | word >> 27) & 0xFFFFFFFF
        out += bytes(a ^ b for a, b in zip(word.to_bytes(4, "big"), wide))
    return out


def decrypt(key, data):
    wide = bytes([key >> 8, key & 255]) * 2
    back = {(167 * b + 13) % 256: b for b in range(256)}
    out = b""
    for start in range(0, len(data), 4):
        word = int.from_bytes(bytes(a ^ b for a, b in zip(data[start : start + 4], wide)), "big")
        word = (word >> 5 | word << 27) & 0xFFFFFFFF
        out += bytes(back[a] ^ b for a, b in zip(word.to_bytes(4, "big"), wide))
    return out[: -out[-1]]


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def rsa():
    p, q = random.sample(PRIMES, 2)
    phi = (p - 1) * (q - 1)
    e = next(e for e in (3, 5, 7, 11, 13, 17, 19, 23) if math.gcd(e, phi) == 1)
    return e, p * q, pow(e, -1, phi)


class Peer:
    def __init__(self, sock, serves):
        self.lines = sock.makefile("rwb")
        private = random.randint(1, 65520)
        e, self.n, self.d = rsa()
        ours = [b"%d" % pow(G, private, P), b"%d,%d" % (e, self.n)]
        theirs = []
        for line in ours:
            if serves:
                theirs.append(self.read())
            self.write(line)
            if not serves:
                theirs.append(self.read())
        self.key = pow(int(theirs[0]), private, P)
        self.their_e, self.their_n = map(int, theirs[1].split(b","))

    def read(self):
        line = self.lines.readline()
        if not line:
            raise EOFError
        return line.rstrip(b"\n")

    def write(self, line):
        self.lines.write(line + b"\n")
        self.lines.flush()

    def say(self, text):
        data = encrypt(self.key, text.encode())
        signature = pow(crc(data), self.d, self.n).to_bytes(3, "big")
        self.write(base64.b64encode(data) + b"|" + base64.b64encode(signature))

    def hear(self):
        line = self.read()
        if b"|" not in line:
            return line.decode()
        data, signature = map(base64.b64decode, line.split(b"|"))
        assert pow(int.from_bytes(signature, "big"), self.their_e, self.their_n) == crc(data)
        return decrypt(self.key, data).decode()


def main():
    if sys.argv[1] == "cipher":
        print(encrypt(int(sys.argv[2], 16), sys.argv[3].encode()).hex())
        return
    if sys.argv[1] == "serve":
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
        peer = Peer(sock, True)
        while (text := peer.hear()) != "EXIT":
            print("heard:", text, flush=True)
            peer.say("Server received: " + text)
        print("over", flush=True)
        return
    peer = Peer(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), False)
    print("ready", flush=True)
    for line in sys.stdin:
        line = line.rstrip("\n")
        try:
            # "!" sends a message with a wrong signature, "?" no message at all.
            if line == "!":
                peer.write(base64.b64encode(bytes(4)) + b"|AAAA")
            elif line == "?":
                peer.write(b"no message")
            else:
                peer.say(line)
            print("heard:", peer.hear(), flush=True)
        except (EOFError, ConnectionError):
            break
    print("over", flush=True)


if __name__ == "__main__":
    main()
