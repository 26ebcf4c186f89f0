# Lua 5.4: language, strings, files, processes.
lua5.4 -e 'print("hello", 6 * 7, 7 // 2, 2^10, _VERSION)'
cat > script.lua <<'EOF'
local t = {}
for i = 1, 200000 do t[i] = (i * 7919) % 100003 end
table.sort(t); print(#t, t[1], t[#t])
for k, v in string.gmatch("a=1, b=2", "(%w+)=(%w+)") do io.write(k, ":", v, " ") end print()
print(("x"):rep(5, "-"), string.format("%5.2f|%-5s|%x", 3.14159, "ab", 255), ("hello"):sub(2, -2):upper(), #"é", utf8.len("é"))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co(), co())
local f = assert(io.open("out", "w")) f:write("one\ntwo\n") f:close() for l in io.lines("out") do io.write(l, ";") end print()
local p = io.popen("echo from a child") print(p:read("a"), p:close()) print(os.execute("exit 3"))
print(pcall(error, "caught")) print(select("#", 1, nil, 3), math.type(1), math.maxinteger, 1e15, os.time{year=2000, month=1, day=1, hour=12} > 0)
local mt = setmetatable({}, {__index = function(_, k) return k .. "!" end, __call = function(_, x) return x * 2 end}) print(mt.key, mt(21))
print(os.rename("out", "renamed"), os.remove("renamed"), os.getenv("HOME") ~= nil) collectgarbage() print(collectgarbage("count") > 0) os.exit(5)
EOF
lua5.4 script.lua; echo $?; echo 'print(1 + 1)' | lua5.4 -; luac5.4 -o code script.lua 2> /dev/null; lua5.4 code | head -n 1; lua5.4 -e 'error("wrong")' 2>&1 | head -n 1
