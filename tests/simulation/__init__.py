"""Seeded simulation: a whole system in one process and in virtual time, on a real PostgreSQL.

`python -m simulation --seeds 1000 --from 1` runs many seeds, `--seed 4711` one with all that happens in it, the same
each time. A seed says which workers, dispatchers, tasks, schedules and limits there are (`plan`), what users do
(`users`), what goes wrong and when (`processes`): processes are killed or stand still at any await, or when they send a
certain statement; statements are slow, arrive after the lease of who sent them or when somebody else runs what they are
about, stop at their beginning while others change what they have seen, or are lost before or after they are carried
out; rings are lost, doubled, late and in another order. When it has come to rest `invariants` are asked.

The product's loops and statements are those of production. In their place stand simulated ones of: the event loop
(`fixtures.simulated_loop`), the network to the database and its pool (`simulated_connection`, `simulated_process`), the
message queue, the jobs and who kills them when a lease ends (`simulated_jobs`), and threads: a heartbeat's is a task
behind a gate of its own. The database's clock is a function of the same name that is found before the real one.

What it cannot show: clocks that go at different speeds, statements that meet anywhere else than at their beginnings and
where they wait for locks, what the server does when it crashes, and everything about real processes, threads, pools
and brokers. `tests/torture` is for that.
"""
