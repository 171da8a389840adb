"""Somebody who plays the challenges of the lab, with nothing but sockets, docs/LAB.md and what the challenges tell.

    challenge.py solve N PORT...     prints the flag
    challenge.py honest N PORT...    passes on what everybody says, unchanged, and prints it in hexadecimal
    challenge.py several N PORT...   tries 2 and 4 with several sessions of Alice's, and prints what the door says then
    challenge.py cut PORT            prints a port; cuts the beginning off what the SSH server at PORT says to who comes there

The ports are the challenge's, in its order: server, Alice, door, as far as it has them.
"""

import base64
import queue
import re
import socket
import sys
import threading
import time

import dh_chat
import rsa_chat
import toy_socket
from wire import exactly

PATIENCE = 60
# When SSH says nothing for so long it is taken to be silent.
SILENCE = 5
FLAG = re.compile(rb"nacre\{[0-9a-f]{16}\}")


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        line += exactly(sock, 1)
    return line[:-1]


FRAMES = (dh_chat.read_frame, dh_chat.write_frame)
BLOBS = (rsa_chat.read_blob, rsa_chat.write_blob)
LINES = (read_line, lambda sock, line: sock.sendall(line + b"\n"))


class Wire:
    """Both ends of a wire that was cut: what Alice and the server say, message by message."""

    def __init__(self, form, server, alice):
        self.read, self.write = form
        self.server, self.alice = connect(server), connect(alice)
        self.said = queue.Queue()
        for who, sock in (("server", self.server), ("alice", self.alice)):
            threading.Thread(target=self._listen, args=(who, sock), daemon=True).start()

    def _listen(self, who, sock):
        try:
            while True:
                self.said.put((who, self.read(sock)))
        except (EOFError, OSError):
            self.said.put((who, None))

    def next(self):
        """Who says something, and what."""
        return self.said.get(timeout=PATIENCE)

    def pass_on(self, who, message):
        self.write(self.alice if who == "server" else self.server, message)

    def answer(self):
        """The server's next message, to nobody else."""
        while True:
            who, message = self.next()
            if who == "server":
                assert message is not None, "the server hung up"
                return message

    def messages(self, count):
        """Passes on everything, and gives Alice's messages up to this many; the last is not passed on."""
        said = {"alice": [], "server": []}
        while len(said["alice"]) < count:
            who, message = self.next()
            assert message is not None, f"the {who} hung up"
            said[who].append(message)
            if who == "server" or len(said["alice"]) < count:
                self.pass_on(who, message)
        return said


def door(port):
    """Waits until it is open: the flag."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = FLAG.search(at_door(port))
        if found:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError("the door stays shut")


def at_door(port):
    with connect(port) as sock:
        said = b""
        while more := sock.recv(4096):
            said += more
        return said


def a_name_is_a_name(server):
    with connect(server) as sock:
        key = rsa_chat.handshake_of_client(sock, "Alice")
        while True:
            text = rsa_chat.decrypt_message(rsa_chat.read_blob(sock), key).encode()
            if FLAG.search(text):
                return text


def the_missing_sentence(server, alice, opens):
    wire = Wire(FRAMES, server, alice)
    wire.messages(3)
    while True:
        who, message = wire.next()
        wire.pass_on(who, message)
        if who == "alice":
            return door(opens)


def a_mirror(server, alice, opens):
    wire = Wire(FRAMES, server, alice)
    question = wire.messages(3)["alice"][2]
    wire.write(wire.alice, question)
    return door(opens)


def paid_three_times(server, alice, opens):
    wire = Wire(FRAMES, server, alice)
    payment = wire.messages(5)["alice"][4]
    for _ in range(3):
        wire.pass_on("alice", payment)
    return door(opens)


def toy_key(said):
    """From a table of all powers of the generator."""
    wanted, power = int(said["alice"][0]), 1
    for exponent in range(65521):
        if power == wanted:
            return pow(int(said["server"][0]), exponent, toy_socket.P)
        power = power * toy_socket.G % toy_socket.P
    raise AssertionError("no such power")


def sixteen_bits(server, alice):
    said = Wire(LINES, server, alice).messages(3)
    message = base64.b64decode(said["alice"][2].split(b"|")[0])
    return toy_socket.decrypt(toy_key(said), message)


def in_between(alice):
    with connect(alice) as sock:
        key = dh_chat.handshake(sock, True)
        return dh_chat.unseal_bytes(key, dh_chat.read_frame(sock))


def three_letters(server, alice):
    with connect(server) as eve:
        pem = rsa_chat.read_blob(eve)
        key = rsa_chat.get_random_bytes(32)
        public = rsa_chat.RSA.import_key(pem)
        rsa_chat.write_blob(eve, rsa_chat.PKCS1_OAEP.new(public).encrypt(key))
        rsa_chat.read_blob(eve)  # its signature: Eve does not care
        hear = lambda: rsa_chat.decrypt_message(rsa_chat.read_blob(eve), key)
        assert hear() == "HANDSHAKE_OK"
        for line in ("Eve", "/list"):
            rsa_chat.write_blob(eve, rsa_chat.encrypt_message(line, key))
        while "Online: Bob, Eve" not in hear():
            pass
        wire = Wire(BLOBS, server, alice)
        message = bytearray(base64.b64decode(wire.messages(3)["alice"][2]))
        for place, (bob, eves) in enumerate(zip(b"Bob", b"Eve"), 4):
            message[place] ^= bob ^ eves
        wire.pass_on("alice", base64.b64encode(bytes(message)))
        while "PM from Alice" not in (line := hear()):
            pass
        return line.encode()


def eighteen_bits(server, alice, opens):
    wire = Wire(LINES, server, alice)
    said = wire.messages(4)
    wire.pass_on("alice", said["alice"][3])
    e, n = map(int, said["alice"][1].split(b","))
    p = next(p for p in toy_socket.PRIMES if n % p == 0)
    d = pow(e, -1, (p - 1) * (n // p - 1))
    data = toy_socket.encrypt(toy_key(said), b"open the door")
    signature = pow(toy_socket.crc(data), d, n).to_bytes(3, "big")
    wire.pass_on("alice", base64.b64encode(data) + b"|" + base64.b64encode(signature))
    return door(opens)


class Oracle:
    """The server of yes or no: whether a pair of blocks ends as a text must."""

    def __init__(self, wire):
        self.wire = wire

    def right(self, question):
        dh_chat.write_frame(self.wire.server, question)
        who, message = self.wire.next()
        assert who == "server" and message is not None
        # `understood` is one block, `[!] decryption failed` two.
        return len(message) == 32

    def inner(self, block):
        """What AES makes of a block."""
        inner = bytearray(16)
        for place in reversed(range(16)):
            fill = 16 - place
            front = bytearray(place)
            end = bytes(byte ^ fill for byte in inner[place + 1 :])
            ask = lambda guess: self.right(bytes(front + bytes([guess]) + end + block))
            good = [guess for guess in range(256) if ask(guess)]
            if len(good) > 1:
                # Longer padding by chance: not with another byte in front of it.
                front[-1] = 255
                good = [guess for guess in good if ask(guess)]
            (guess,) = good
            inner[place] = guess ^ fill
        return bytes(inner)


def yes_or_no(server, alice):
    wire = Wire(FRAMES, server, alice)
    message = wire.messages(3)["alice"][2]
    oracle = Oracle(wire)
    wire.pass_on("alice", message)
    assert len(wire.next()[1]) == 32
    blocks = [message[at : at + 16] for at in range(0, len(message), 16)]
    text = b""
    for before, block in zip(blocks, blocks[1:]):
        text += bytes(a ^ b for a, b in zip(oracle.inner(block), before))
    return text


def packets(sock):
    """The line of identification, and packets up to NEWKEYS."""
    yield read_line(sock) + b"\n"
    number = None
    while number != 21:
        length = exactly(sock, 4)
        body = exactly(sock, int.from_bytes(length, "big"))
        number = body[1]
        yield length + body


def pump(source, target, kept=None):
    try:
        while data := source.recv(65536):
            if kept is not None:
                kept.append(data)
            target.sendall(data)
    except OSError:
        pass


def until_silence(sock):
    said = b""
    sock.settimeout(SILENCE)
    try:
        while data := sock.recv(65536):
            said += data
    except TimeoutError:
        pass
    sock.settimeout(PATIENCE)
    return said


def cut(server, alice):
    threading.Thread(target=pump, args=(alice, server), daemon=True).start()
    for packet in packets(server):
        number = packet[5] if not packet.startswith(b"SSH-") else None
        if number == 31:
            alice.sendall(bytes([0, 0, 0, 12, 6, 2, 0, 0, 0, 0]) + bytes(6))
        if number == 21:
            assert until_silence(server), "no EXT_INFO"
        alice.sendall(packet)
    pump(server, alice)


def terrapin(server, alice, opens):
    threading.Thread(target=cut, args=(connect(server), connect(alice)), daemon=True).start()
    return door(opens)


def heard_by_server(wire):
    """Waits until the server has dealt with all that it was sent: it answers what it cannot open."""
    wire.write(wire.server, bytes(17))
    wire.answer()


def several_exercises(server, alice):
    """In the first session all but the order, which comes after the second has begun."""
    first = Wire(FRAMES, server, alice)
    order = first.messages(4)["alice"][3]
    second = Wire(FRAMES, server, alice)
    second.messages(3)
    heard_by_server(second)
    first.pass_on("alice", order)
    heard_by_server(first)


def several_payments(server, alice):
    """Three sessions, all of them logged in before the first payment is delivered; each once."""
    wires, held = [], []
    while len(wires) < 3:
        wires.append(Wire(FRAMES, server, alice))
        held.append(wires[-1].messages(5)["alice"][4])
    for wire, payment in zip(wires, held):
        wire.pass_on("alice", payment)
        wire.answer()


SEVERAL = {2: several_exercises, 4: several_payments}

SOLVERS = [
    a_name_is_a_name,
    the_missing_sentence,
    a_mirror,
    paid_three_times,
    sixteen_bits,
    in_between,
    three_letters,
    eighteen_bits,
    yes_or_no,
    terrapin,
]


# How many messages Alice sends of herself, and in which form.
HONEST = {
    2: (FRAMES, 4),
    3: (FRAMES, 3),
    4: (FRAMES, 5),
    5: (LINES, 3),
    7: (BLOBS, 3),
    8: (LINES, 4),
    9: (FRAMES, 3),
}


def honest(number, ports):
    """All that was said on the wire and at the door, when nobody attacks."""
    if number == 1:
        with connect(ports[0]) as sock:
            key = rsa_chat.handshake_of_client(sock, "Carol")
            rsa_chat.write_blob(sock, rsa_chat.encrypt_message("/list", key))
            text = rsa_chat.decrypt_message(rsa_chat.read_blob(sock), key)
            assert "Online: Bob, Carol" in text
            return text.encode()
    if number == 6:
        with connect(ports[0]) as sock:
            dh_chat.handshake(sock, True)
            return dh_chat.read_frame(sock)
    said = []
    if number == 10:
        server, alice = connect(ports[0]), connect(ports[1])
        threading.Thread(target=pump, args=(alice, server, said), daemon=True).start()
        for packet in packets(server):
            said.append(packet)
            alice.sendall(packet)
        server.settimeout(SILENCE)
        pump(server, alice, said)
    else:
        form, count = HONEST[number]
        wire = Wire(form, *ports[:2])
        messages = wire.messages(count)
        wire.pass_on("alice", messages["alice"][-1])
        said = messages["alice"] + messages["server"]
    if len(ports) == 3:
        shut = at_door(ports[2])
        assert not FLAG.search(shut), shut
        said.append(shut)
    return b"\n".join(said)


def main():
    if sys.argv[1] == "cut":
        listener = socket.create_server(("127.0.0.1", 0))
        print("port", listener.getsockname()[1], flush=True)
        client, _ = listener.accept()
        cut(connect(int(sys.argv[2])), client)
        client.close()
        return
    number, ports = int(sys.argv[2]), [int(port) for port in sys.argv[3:]]
    if sys.argv[1] == "honest":
        print("heard:", honest(number, ports).hex(), flush=True)
    elif sys.argv[1] == "several":
        SEVERAL[number](*ports[:2])
        print("at the door:", at_door(ports[2]).decode(), flush=True)
    else:
        print("the flag is", FLAG.search(SOLVERS[number - 1](*ports))[0].decode(), flush=True)


main()
