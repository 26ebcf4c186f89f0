"""What programs use of Python: threads, subprocess, mmap, multiprocessing, select, signals, sockets, files."""
import asyncio, hashlib, mmap, multiprocessing, os, queue, select, shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, threading, time, zlib

def case(name, value):
    print(f"{name}: {value}", flush=True)

# threads
total, lock = 0, threading.Lock()
def add():
    global total
    for _ in range(10000):
        with lock:
            total += 1
threads = [threading.Thread(target=add) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
case("threads", total)
q = queue.Queue()
threading.Thread(target=lambda: [q.put(i) for i in range(1000)] and q.put(None)).start()
case("queue", sum(iter(q.get, None)))
event = threading.Event(); threading.Timer(0.1, event.set).start()
case("timer", event.wait(5))
local = threading.local(); local.x = 1
t = threading.Thread(target=lambda: case("thread local", hasattr(local, "x"))); t.start(); t.join()

# subprocess
case("run", subprocess.run(["tr", "a-z", "A-Z"], input="shout", text=True, capture_output=True).stdout)
case("shell", subprocess.run("echo out; echo err >&2; exit 3", shell=True, capture_output=True, text=True))
try:
    subprocess.run(["sleep", "10"], timeout=0.3)
except subprocess.TimeoutExpired:
    case("timeout", "expired")
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
case("large pipe", len(p.communicate(b"x" * 1000000)[0]))
try:
    subprocess.Popen(["/no/such/program"])
except FileNotFoundError as e:
    case("not found", e.errno)
case("pipeline", subprocess.check_output("seq 1000 | sort -rn | head -n 1", shell=True).decode().strip())

# mmap
with open("mapped", "w+b") as f:
    f.truncate(3 * mmap.PAGESIZE + 100)
    m = mmap.mmap(f.fileno(), 0)
    m[mmap.PAGESIZE - 2:mmap.PAGESIZE + 2] = b"edge"
    m.flush(); f.seek(mmap.PAGESIZE - 2)
    case("mmap", (f.read(4), len(m), m.find(b"edge") == mmap.PAGESIZE - 2))
    m.resize(8 * mmap.PAGESIZE); case("mmap resize", (len(m), os.stat("mapped").st_size)); m.close()
    c = mmap.mmap(f.fileno(), mmap.PAGESIZE, access=mmap.ACCESS_COPY); c[0] = 65; f.seek(0); case("copy on write", (c[0], f.read(1))); c.close()
a = mmap.mmap(-1, 1 << 20)
if os.fork() == 0:
    a[:5] = b"child"; os._exit(0)
os.wait(); case("shared anonymous", a[:5])
case("madvise", a.madvise(mmap.MADV_DONTNEED))

# multiprocessing
def square(x):
    return x * x
if __name__ == "__main__":
    ctx = multiprocessing.get_context("fork")
    with ctx.Pool(4) as pool:
        case("pool", sum(pool.map(square, range(1000))))
    counter = ctx.Value("i", 0)
    def bump():
        for _ in range(500):
            with counter.get_lock():
                counter.value += 1
    ps = [ctx.Process(target=bump) for _ in range(4)]
    [p.start() for p in ps]; [p.join() for p in ps]
    case("shared value", (counter.value, [p.exitcode for p in ps]))
    ours, theirs = ctx.Pipe(duplex=False)
    p = ctx.Process(target=lambda: theirs.send({"pid": os.getpid() > 0, "data": list(range(3))})); p.start(); case("pipe", ours.recv()); p.join()
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=4096); s.buf[:3] = b"shm"
    p = ctx.Process(target=lambda: s.buf.__setitem__(0, 83)); p.start(); p.join(); case("shared memory", bytes(s.buf[:3])); s.close(); s.unlink()
    from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor
    with ThreadPoolExecutor(4) as ex: case("thread pool", list(ex.map(square, range(5))))
    with ProcessPoolExecutor(2, mp_context=ctx) as ex: case("process pool", list(ex.map(square, range(5))))

# processes and signals
pid = os.fork()
if pid == 0: os._exit(42)
case("waitstatus", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
got = []
signal.signal(signal.SIGUSR1, lambda n, f: got.append(n)); os.kill(os.getpid(), signal.SIGUSR1); case("signal", got)
signal.signal(signal.SIGALRM, lambda n, f: got.append(n)); signal.setitimer(signal.ITIMER_REAL, 0.1); time.sleep(0.5); case("itimer", got[1:])
case("spawn", os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], os.environ), 0)[1]))
r, w = os.pipe(); os.write(w, b"ready"); case("select", select.select([r], [w], [], 1) == ([r], [w], [])); po = select.poll(); po.register(r, select.POLLIN); case("poll", po.poll(0) == [(r, 1)])

# files
with tempfile.TemporaryDirectory() as d:
    for i in range(50): open(os.path.join(d, str(i)), "w").write(str(i))
    case("listdir", len(os.listdir(d))); case("scandir", sum(e.stat().st_size for e in os.scandir(d)))
    shutil.copytree(d, d + "/copy"); case("copytree", sum(len(f) for _, _, f in os.walk(d))); os.symlink("1", d + "/link"); case("readlink", os.readlink(d + "/link"))
case("gone", os.path.exists(d))
f = os.open("sparse", os.O_RDWR | os.O_CREAT); os.pwrite(f, b"end", 1 << 20); case("pread", (os.pread(f, 3, 1 << 20), os.fstat(f).st_size)); os.ftruncate(f, 10); case("ftruncate", os.fstat(f).st_size)
case("writev", os.writev(f, [b"a", b"bc"])); case("sendfile", os.sendfile(os.open("sink", os.O_WRONLY | os.O_CREAT), f, 0, 3))
os.utime("sink", (1e9, 1e9)); case("utime", int(os.stat("sink").st_mtime)); case("access", os.access("sink", os.R_OK)); case("urandom", len(os.urandom(100)))

# sqlite3
db = sqlite3.connect("test.db"); db.execute("pragma journal_mode=wal").fetchone(); db.execute("pragma mmap_size=10000000")
db.execute("create table t(a integer primary key, b text)")
with db: db.executemany("insert into t(b) values (?)", ((str(i) * 10,) for i in range(10000)))
case("sqlite", db.execute("select count(*), sum(length(b)) from t").fetchone()); other = sqlite3.connect("test.db"); case("second reader", other.execute("select max(a) from t").fetchone())
other.close(); db.close(); case("files", sorted(x for x in os.listdir(".") if x.startswith("test.db")))

case("hash", hashlib.sha256(b"x" * 1000000).hexdigest()[:16]); case("zlib", zlib.crc32(zlib.decompress(zlib.compress(b"y" * 1000000)))); case("struct", struct.unpack("<hI", struct.pack("<hI", -2, 7)))
big = [i for i in range(300000)]; case("memory", len(big)); import resource; case("rusage", resource.getrusage(resource.RUSAGE_SELF).ru_minflt > 100)
case("threads left", threading.active_count()); case("recursion", (lambda f: f(f, 500))(lambda f, n: 0 if n == 0 else 1 + f(f, n - 1)))
