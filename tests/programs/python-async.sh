# Python's event loop and sockets: epoll, eventfd or socketpair, UNIX sockets.
cat > async.py <<'EOF'
import asyncio, os, selectors, socket
async def work(n):
    await asyncio.sleep(0.05 * n)
    return n
async def main():
    print(await asyncio.gather(*(work(n) for n in range(5))))
    p = await asyncio.create_subprocess_exec("echo", "from a child", stdout=asyncio.subprocess.PIPE)
    print((await p.communicate())[0], p.returncode)
    async def serve(r, w):
        w.write((await r.readline()).upper()); await w.drain(); w.close()
    server = await asyncio.start_unix_server(serve, "socket")
    r, w = await asyncio.open_unix_connection("socket"); w.write(b"shout\n"); print(await r.readline()); w.close(); server.close()
asyncio.run(main())
a, b = socket.socketpair(); a.sendall(b"pair"); print(b.recv(10)); print(selectors.DefaultSelector.__name__)
master, slave = os.openpty(); os.write(master, b"typed\n"); print(os.read(slave, 100), os.isatty(slave))
EOF
python3 async.py
