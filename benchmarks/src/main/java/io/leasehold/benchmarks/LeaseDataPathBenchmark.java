package io.leasehold.benchmarks;

import io.leasehold.lease.AccessRight;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseMode;
import io.leasehold.lease.LeaseRequest;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// What one data operation of a lease costs on the software fabric, and, with `-prof gc`, that it allocates nothing.
///
/// Node and client share the JVM, so on the other links the allocation figure includes the node's threads.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class LeaseDataPathBenchmark {
    private static final int BLOCK_BYTES = 4096;

    @Param({"LOCAL", "SHARED_MEMORY", "TCP"})
    private Link link = Link.LOCAL;

    private MemoryNode node;
    private Session session;
    private Lease lease;
    private MemorySegment buffer;
    private long word;

    /// Starts a node, connects a session, and takes one lease for all.
    @Setup(Level.Trial)
    public void start() {
        DeviceOptions device = DeviceOptions.soft().withLinks(link);
        node = MemoryNode.start(NodeOptions.ofMemory(16 << 20).withDevice(device));
        session = Session.connect(node.address(), SessionOptions.defaults().withDevice(device));
        Duration life = Duration.ofSeconds(60);
        lease = session.acquire(LeaseRequest.of(session.allocate(BLOCK_BYTES), BLOCK_BYTES, Set.of(AccessRight.values()),
                LeaseMode.EXCLUSIVE, life).withMaxLife(life));
        buffer = Arena.global().allocate(64, 8);
    }

    /// Ends everything.
    @TearDown(Level.Trial)
    public void stop() {
        session.close();
        node.close();
    }

    /// READ of 64 bytes into a caller's buffer.
    @Benchmark
    public MemorySegment read() {
        lease.read(0, buffer);
        return buffer;
    }

    /// WRITE of 64 bytes from a caller's buffer.
    @Benchmark
    public void write() {
        lease.write(64, buffer);
    }

    /// A compare-and-swap that succeeds.
    @Benchmark
    public long compareAndSwap() {
        return lease.compareAndSwap(128, word, ++word);
    }

    /// A fetch-and-add.
    @Benchmark
    public long fetchAndAdd() {
        return lease.fetchAndAdd(192, 1);
    }
}
