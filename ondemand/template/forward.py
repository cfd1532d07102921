"""Carries connections from a port of this machine to one of its loopback: forward.py PORT LOOPBACK-PORT [PEER...]

CES publishes a port of a container on loopback, for the run's own user and nobody else; the portal is another machine.
This is a program of that user's, and ends with the job. Where PEERs are given, connections of others are closed.
"""
import asyncio
import ipaddress
import sys


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def address_of(writer):
    address = ipaddress.ip_address(writer.get_extra_info("peername")[0].split("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


async def main(port, inner, peers):
    async def accept(reader, writer):
        if peers and address_of(writer) not in peers:
            writer.close()
            return
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, inner_writer), carry(inner_reader, writer))

    server = await asyncio.start_server(accept, None, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), {ipaddress.ip_address(peer) for peer in sys.argv[3:]}))
