# sqlite3 on a tmpfs: journal and WAL, mapped memory, several processes, recovery.
sqlite3 --version | cut -c1-3
sqlite3 db 'create table t(a integer primary key, b text, c real); with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) insert into t select x, "row " || x, x / 3.0 from n; select count(*), max(b), round(sum(c), 2) from t'
sqlite3 db 'create index i on t(b); explain query plan select * from t where b = "row 7"; select a from t where b = "row 777"; pragma integrity_check; vacuum; select count(*) from t'
sqlite3 wal <<EOF
pragma journal_mode=wal;
pragma mmap_size=268435456;
create table t(x);
begin; insert into t values (1), (2), (3); commit;
select sum(x) from t;
pragma wal_checkpoint;
EOF
sqlite3 wal 'pragma mmap_size=100000000; begin; insert into t select x + 10 from t; select count(*) from t; rollback; select count(*) from t'
for i in 1 2 3 4; do (for j in {1..20}; do sqlite3 -cmd '.timeout 20000' wal "insert into t values ($i * 100 + $j)"; done) & done; wait
sqlite3 wal 'select count(*), sum(x) from t'; ls wal*
(sqlite3 wal 'begin immediate; insert into t values (-1);' '.system kill -9 $PPID'; true) 2> /dev/null; sqlite3 wal 'select count(*) from t where x = -1; pragma integrity_check'
sqlite3 -header -csv db 'select a, b from t limit 2'; sqlite3 db .schema; sqlite3 db '.dump t' | sqlite3 copy; sqlite3 copy 'select count(*) from t'; sqlite3 db '.backup backup'; sqlite3 backup 'select count(*) from t'; sqlite3 db 'select nothing' 2>&1 | head -n 1; sqlite3 :memory: 'select json_extract("{""a"": [1, 2]}", "$.a[1]"), sqlite_version() > "3", upper("x"), strftime("%Y", 0, "unixepoch")'
