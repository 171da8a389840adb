"""dh-chat, either end, written from its wire format alone. Lines come from standard input, what is heard goes to
standard output.

    dh_chat.py serve            prints the port; serves one client
    dh_chat.py join PORT
"""

import hashlib
import os
import socket
import struct
import sys
import threading

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wire import exactly

P = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)


def read_frame(sock):
    (length,) = struct.unpack(">I", exactly(sock, 4))
    return exactly(sock, length)


def write_frame(sock, body):
    sock.sendall(struct.pack(">I", len(body)) + body)


def key_of(their_public, exponent):
    secret = pow(int.from_bytes(their_public, "big"), exponent, P).to_bytes(256, "big")
    return hashlib.pbkdf2_hmac("sha256", secret, b"dh-chat fixed salt", 100_000, 32)


def handshake(sock, serves):
    exponent = int.from_bytes(os.urandom(64), "big")
    ours = pow(2, exponent, P).to_bytes(256, "big")
    if serves:
        write_frame(sock, P.to_bytes(256, "big"))
        write_frame(sock, b"\x02")
        write_frame(sock, ours)
        return key_of(read_frame(sock), exponent)
    assert int.from_bytes(read_frame(sock), "big") == P
    assert read_frame(sock) == b"\x02"
    theirs = read_frame(sock)
    assert len(theirs) == 256
    write_frame(sock, ours)
    return key_of(theirs, exponent)


def seal(key, text):
    return seal_bytes(key, text.encode())


def unseal(key, frame):
    return unseal_bytes(key, frame).decode()


def seal_bytes(key, text):
    iv = os.urandom(16)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padded = padder.update(text) + padder.finalize()
    return iv + encryptor.update(padded) + encryptor.finalize()


def unseal_bytes(key, frame):
    decryptor = Cipher(algorithms.AES(key), modes.CBC(frame[:16])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    padded = decryptor.update(frame[16:]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def talk(sock, key):
    def speak():
        for line in sys.stdin:
            line = line.rstrip("\n")
            # "!" sends what cannot be opened.
            write_frame(sock, bytes(48) if line == "!" else seal(key, line))

    threading.Thread(target=speak, daemon=True).start()
    try:
        while True:
            text = unseal(key, read_frame(sock))
            print("heard:", text, flush=True)
            if text == "exit":
                break
    except (EOFError, ConnectionError):
        pass
    print("over", flush=True)


def main():
    if sys.argv[1] == "serve":
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
    else:
        sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    key = handshake(sock, sys.argv[1] == "serve")
    print("ready", flush=True)
    talk(sock, key)
    sock.close()


if __name__ == "__main__":
    main()
