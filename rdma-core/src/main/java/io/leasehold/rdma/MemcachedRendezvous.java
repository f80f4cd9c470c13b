package io.leasehold.rdma;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.CachedData;
import net.spy.memcached.ConnectionFactory;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.FailureMode;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.Transcoder;
import org.jspecify.annotations.Nullable;

/// A rendezvous at a memcached.
///
/// Values are refreshed by a thread of this object; barriers are a [BarrierRecord] under one key, replaced by
/// compare-and-swap. Each request to the server is bounded by the timeout given at [#connect], even where a caller waits
/// longer; a server that comes back within that time is found again.
final class MemcachedRendezvous implements Rendezvous {
    /// How long the called parties of a barrier have to confirm before those that have not are dropped: longer than a pause of
    /// a JVM.
    static final Duration SILENCE = Duration.ofSeconds(3);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(32);

    /// How long an unused barrier is kept.
    private static final Duration BARRIER_KEPT = LEFT_BEHIND;

    /// Where the ids of parties come from: no two processes may draw the same.
    private static final SecureRandom IDS = new SecureRandom();

    /// The logger of spymemcached; kept, because a level lasts no longer than its logger.
    private static final Logger SPYMEMCACHED = quietLogger();

    private final MemcachedConf conf;
    private final MemcachedKeys keys;
    private final Duration timeout;
    private final Duration lapse;
    private final MemcachedClient client;

    /// Guards `published`, and is held during the requests that must not overtake one another.
    private final ReentrantLock publishing = new ReentrantLock();
    private final Map<String, byte[]> published = new HashMap<>();
    private final Thread refresher;
    private volatile boolean closed;

    private MemcachedRendezvous(MemcachedConf conf, MemcachedKeys keys, Duration timeout, Duration lapse,
            MemcachedClient client) {
        this.conf = conf;
        this.keys = keys;
        this.timeout = timeout;
        this.lapse = lapse;
        this.client = client;
        refresher = Thread.ofPlatform().daemon().name("leasehold-rendezvous-refresh").unstarted(this::refreshUntilClosed);
    }

    /// Connects to the server.
    ///
    /// @param lapse how long a value outlives its publisher, in whole seconds; it is refreshed three times as often
    static MemcachedRendezvous connect(MemcachedConf conf, String clusterId, Duration timeout, Duration lapse) {
        Deadline deadline = Deadline.after(timeout);
        InetSocketAddress address = reach(conf, deadline);
        MemcachedRendezvous rendezvous;
        try {
            rendezvous = new MemcachedRendezvous(conf, new MemcachedKeys(clusterId), timeout, lapse,
                    new MemcachedClient(connectionFactory(timeout), List.of(address)));
        } catch (IOException e) {
            throw failure(conf, "connect", deadline, "the client could not start", e);
        }
        try {
            // Anything can accept a connection; only a memcached answers this.
            rendezvous.lookup("probe", "connect", deadline);
        } catch (RendezvousException e) {
            rendezvous.client.shutdown();
            throw e;
        }
        return rendezvous;
    }

    /// Resolves and connects once, without spymemcached, which would try for ever and say nothing.
    private static InetSocketAddress reach(MemcachedConf conf, Deadline deadline) {
        CompletableFuture<InetSocketAddress> reached = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name("leasehold-rendezvous-connect").start(() -> {
            try (Socket socket = new Socket()) {
                InetSocketAddress address = new InetSocketAddress(conf.host(), conf.port());
                if (address.isUnresolved()) {
                    throw new IOException("there is no host of that name");
                }
                socket.connect(address, Math.clamp(TimeUnit.NANOSECONDS.toMillis(deadline.remainingNanos()), 1, 1 << 30));
                reached.complete(address);
            } catch (IOException | RuntimeException e) {
                reached.completeExceptionally(e);
            }
        });
        try {
            return reached.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            String what = cause instanceof SocketTimeoutException ? "it did not answer" : cause.getMessage();
            throw failure(conf, "connect", deadline, what + "; start a memcached there or correct its address", cause);
        } catch (TimeoutException e) {
            throw failure(conf, "connect", deadline, "it did not answer; start a memcached there or correct its address", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure(conf, "connect", deadline, "the thread was interrupted", e);
        }
    }

    private static ConnectionFactory connectionFactory(Duration timeout) {
        long timeoutMillis = Math.max(1, timeout.toMillis());
        return new ConnectionFactoryBuilder()
                .setDaemon(true)
                // Requests wait for a server that may come back; how long is ours to say.
                .setFailureMode(FailureMode.Retry)
                .setMaxReconnectDelay(1)
                .setOpTimeout(timeoutMillis)
                .setOpQueueMaxBlockTime(timeoutMillis)
                .build();
    }

    private static Logger quietLogger() {
        // What it has to say about lost connections, our exceptions say. A program that wants to hear it sets the property or
        // level.
        if (System.getProperty("net.spy.log.LoggerImpl") == null) {
            System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        }
        Logger logger = Logger.getLogger("net.spy.memcached");
        if (logger.getLevel() == null) {
            logger.setLevel(Level.OFF);
        }
        return logger;
    }

    @Override
    public void publish(String name, byte[] value) {
        RendezvousLimits.checkValue(name, value);
        Deadline deadline = Deadline.after(timeout);
        String phase = "publish " + name;
        byte[] copy = value.clone();
        String key = keys.key("value", name);
        whilePublishing(phase, deadline, () -> {
            published.put(name, copy);
            if (refresher.getState() == Thread.State.NEW) {
                refresher.start();
            }
            store(() -> client.set(key, (int) lapse.toSeconds(), copy, Bytes.INSTANCE), phase, deadline);
        });
    }

    @Override
    public void withdraw(String name) {
        Deadline deadline = Deadline.after(timeout);
        String phase = "withdraw " + name;
        whilePublishing(phase, deadline, () -> {
            published.remove(name);
            answer(() -> client.delete(keys.key("value", name)), phase, deadline);
        });
    }

    @Override
    public byte @Nullable [] lookup(String name) {
        return lookup(name, "lookup " + name, Deadline.after(timeout));
    }

    private byte @Nullable [] lookup(String name, String phase, Deadline deadline) {
        return answer(() -> client.asyncGet(keys.key("value", name), Bytes.INSTANCE), phase, deadline);
    }

    @Override
    public byte[] await(String name, Duration patience) {
        Deadline deadline = Deadline.after(patience);
        String phase = "await " + name;
        for (Duration pause = FIRST_PAUSE;; pause = longer(pause)) {
            byte[] value = lookup(name, phase, deadline.endingAfter(timeout));
            if (value != null) {
                return value;
            }
            if (deadline.passed()) {
                throw failure(conf, phase, deadline, "nobody has published it", null);
            }
            deadline.pause(pause);
        }
    }

    @Override
    public void barrier(String name, int parties, Duration patience) {
        RendezvousLimits.checkParties(parties);
        BarrierVisit visit = new BarrierVisit("barrier " + name, keys.key("barrier", parties + "/" + name), parties,
                Deadline.after(patience));
        for (Duration pause = FIRST_PAUSE;; pause = longer(pause)) {
            switch (visit.look()) {
                case RELEASED -> {
                    return;
                }
                case MOVED -> pause = FIRST_PAUSE;
                case UNCHANGED -> visit.deadline.pause(pause);
            }
            if (visit.deadline.passed()) {
                visit.leave();
                return;
            }
        }
    }

    /// What a party found or did at a barrier.
    private enum Look { RELEASED, MOVED, UNCHANGED }

    /// One party's stay at a barrier.
    private final class BarrierVisit {
        private final String phase;
        private final String key;
        private final int parties;
        private final Deadline deadline;
        private final long id = IDS.nextLong();
        private List<Long> silent = List.of();
        private Deadline silence = Deadline.after(SILENCE);

        BarrierVisit(String phase, String key, int parties, Deadline deadline) {
            this.phase = phase;
            this.key = key;
            this.parties = parties;
            this.deadline = deadline;
        }

        /// Joins, confirms, or drops those that stay silent, as far as there is reason to.
        Look look() {
            Deadline answer = deadline.endingAfter(timeout);
            CASValue<byte[]> found = answer(() -> client.asyncGets(key, Bytes.INSTANCE), phase, answer);
            BarrierRecord before = record(found);
            if (before.hasReleased(id)) {
                return Look.RELEASED;
            }
            BarrierRecord after = before.joinedBy(id).confirmedBy(id, parties);
            List<Long> stillSilent = after.silent(parties);
            if (!stillSilent.equals(silent)) {
                silent = stillSilent;
                silence = Deadline.after(SILENCE);
            } else if (!silent.isEmpty() && silence.passed()) {
                after = after.without(silent);
            }
            if (after.equals(before)) {
                return Look.UNCHANGED;
            }
            return replace(found, after, answer) && after.hasReleased(id) ? Look.RELEASED : Look.MOVED;
        }

        /// Goes away in vain; comes back normally only if the barrier opened in the meantime.
        void leave() {
            Deadline grace = deadline.endingAfter(timeout);
            while (true) {
                CASValue<byte[]> found = answer(() -> client.asyncGets(key, Bytes.INSTANCE), phase, grace);
                BarrierRecord before = record(found);
                if (before.hasReleased(id)) {
                    return;
                }
                int came = before.joinedBy(id).waiting().size();
                BarrierRecord after = before.without(List.of(id));
                if (after.equals(before) || replace(found, after, grace)) {
                    throw failure(conf, phase, deadline, came + " of " + parties + " came", null);
                }
            }
        }

        private BarrierRecord record(@Nullable CASValue<byte[]> found) {
            if (found == null) {
                return BarrierRecord.EMPTY;
            }
            try {
                return BarrierRecord.decode(found.getValue());
            } catch (IllegalArgumentException e) {
                throw failure(conf, phase, deadline, "its record is not ours: " + e.getMessage(), e);
            }
        }

        /// Whether `after` took the place of `found`.
        private boolean replace(@Nullable CASValue<byte[]> found, BarrierRecord after, Deadline answer) {
            int seconds = (int) BARRIER_KEPT.toSeconds();
            if (found == null) {
                return Boolean.TRUE.equals(answer(() -> client.add(key, seconds, after.encode(), Bytes.INSTANCE), phase, answer));
            }
            return answer(() -> client.asyncCAS(key, found.getCas(), seconds, after.encode(), Bytes.INSTANCE), phase,
                    answer) == CASResponse.OK;
        }
    }

    private void refreshUntilClosed() {
        while (!closed) {
            Duration period = lapse.dividedBy(3);
            Deadline next = Deadline.after(period);
            while (!closed && !next.passed()) {
                next.pause(period);
            }
            Deadline deadline = Deadline.after(timeout);
            try {
                whilePublishing("refresh", deadline, () -> refreshAll(lapse, deadline));
            } catch (RendezvousException | IllegalStateException e) {
                // The server is away or this was closed; what was published is put back when the server returns.
            }
        }
    }

    private void refreshAll(Duration life, Deadline deadline) {
        List.copyOf(published.keySet()).forEach(name -> refresh(name, life, deadline));
    }

    /// Prolongs the life of a published value, unless somebody else has published under its name since.
    private void refresh(String name, Duration life, Deadline deadline) {
        byte[] mine = published.get(name);
        String key = keys.key("value", name);
        String phase = "refresh " + name;
        byte[] there = lookup(name, phase, deadline);
        if (there == null) {
            answer(() -> client.add(key, (int) life.toSeconds(), mine, Bytes.INSTANCE), phase, deadline);
        } else if (Arrays.equals(mine, there)) {
            answer(() -> client.touch(key, (int) life.toSeconds()), phase, deadline);
        } else {
            published.remove(name);
        }
    }

    private void whilePublishing(String phase, Deadline deadline, Runnable action) {
        try {
            if (!publishing.tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw failure(conf, phase, deadline, "another request of this process is waiting for it", null);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure(conf, phase, deadline, "the thread was interrupted", e);
        }
        try {
            action.run();
        } finally {
            publishing.unlock();
        }
    }

    private void store(Supplier<? extends Future<Boolean>> request, String phase, Deadline deadline) {
        if (!Boolean.TRUE.equals(answer(request, phase, deadline))) {
            throw failure(conf, phase, deadline,
                    "it refused to store the value; is its memory (-m) or item size (-I) too small?", null);
        }
    }

    /// Posts a request and waits for the answer. A request that a lost connection took with it is posted again, so it may be
    /// carried out twice.
    private <T> @Nullable T answer(Supplier<? extends Future<T>> request, String phase, Deadline deadline) {
        while (!closed) {
            Future<T> future = null;
            try {
                future = request.get();
                return future.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw failure(conf, phase, deadline, "the thread was interrupted", e);
            } catch (TimeoutException e) {
                throw failure(conf, phase, deadline, "no answer; is a memcached running there, and reachable?", e);
            } catch (ExecutionException | IllegalStateException e) {
                // IllegalStateException: spymemcached cancelled the request or could not queue it.
                if (Thread.currentThread().isInterrupted()) {
                    throw failure(conf, phase, deadline, "the thread was interrupted", e);
                }
                if (deadline.passed()) {
                    throw failure(conf, phase, deadline, "the request failed: " + e.getMessage(), e);
                }
                deadline.pause(LONGEST_PAUSE);
            } finally {
                if (future != null && !future.isDone()) {
                    future.cancel(true);
                }
            }
        }
        throw new IllegalStateException("the rendezvous at memcached " + conf + " was closed");
    }

    private static RendezvousException failure(MemcachedConf conf, String phase, Deadline deadline, String detail,
            @Nullable Throwable cause) {
        return new RendezvousException("memcached " + conf, phase, deadline.elapsed(), detail, cause);
    }

    private static Duration longer(Duration pause) {
        return pause.compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        Deadline deadline = Deadline.after(timeout);
        try {
            whilePublishing("close", deadline, () -> refreshAll(LEFT_BEHIND, deadline));
        } catch (RendezvousException e) {
            // The server is away, and what was published with it.
        }
        closed = true;
        LockSupport.unpark(refresher);
        client.shutdown();
    }

    /// Bytes as they are.
    private static final class Bytes implements Transcoder<byte[]> {
        static final Bytes INSTANCE = new Bytes();

        @Override
        public boolean asyncDecode(CachedData data) {
            return false;
        }

        @Override
        public CachedData encode(byte[] bytes) {
            return new CachedData(0, bytes, getMaxSize());
        }

        @Override
        public byte[] decode(CachedData data) {
            return data.getData();
        }

        @Override
        public int getMaxSize() {
            return VALUE_MAX_BYTES;
        }
    }
}
