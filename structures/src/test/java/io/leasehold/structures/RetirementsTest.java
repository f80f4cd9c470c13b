package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Extent;
import io.leasehold.lease.Failures;
import io.leasehold.lease.HeapKind;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Giving memory back when the node cannot be asked, or refuses.
final class RetirementsTest {
    private final List<List<Extent>> asked = new ArrayList<>();
    private final List<Extent> given = new ArrayList<>();
    private @Nullable RuntimeException failure;
    private long nanos;
    private final Retirements retirements = new Retirements("heap", this::request, () -> nanos);

    private void request(List<Extent> extents) {
        asked.add(List.copyOf(extents));
        if (failure != null) {
            throw failure;
        }
        given.addAll(extents);
    }

    private static Extent extent(int number) {
        return new Extent(new RemoteAddress(0, number * 64L), 64);
    }

    private void add(int from, int to) {
        IntStream.range(from, to).forEach(i -> retirements.add(extent(i)));
    }

    private static List<Extent> extents(int from, int to) {
        return IntStream.range(from, to).mapToObj(RetirementsTest::extent).toList();
    }

    @Test
    void areGivenBackManyAtATime() {
        add(0, 63);
        assertThat(asked).isEmpty();
        add(63, 130);
        assertThat(given).isEqualTo(extents(0, 128));
        retirements.flush(List.of());
        assertThat(given).isEqualTo(extents(0, 130));
        assertThat(asked).hasSize(3);
    }

    @Test
    void areKeptWhileTheNodeCannotBeAsked() {
        failure = Failures.nodeUnavailable();
        add(0, 200);
        assertThat(asked).as("not again before it is time").hasSize(1);
        nanos += Retirements.RETRY_NANOS;
        add(200, 201);
        assertThat(asked).hasSize(2);
        failure = null;
        nanos += Retirements.RETRY_NANOS;
        add(201, 202);
        assertThat(given).containsExactlyInAnyOrderElementsOf(extents(0, 202));
    }

    @Test
    void noMoreAreKeptThanTheBound() {
        failure = Failures.nodeUnavailable();
        add(0, Retirements.KEPT_MAX + 100);
        failure = null;
        retirements.flush(List.of());
        assertThat(given).hasSize(Retirements.KEPT_MAX).doesNotHaveDuplicates();
    }

    @Test
    void areNotGivenBackTwiceIfNobodyKnows() {
        failure = Failures.outcomeUnknown();
        add(0, 64);
        failure = null;
        nanos += Retirements.RETRY_NANOS;
        add(64, 128);
        assertThat(given).isEqualTo(extents(64, 128));
    }

    /// A node refuses a whole request because of one range in it.
    @Test
    void anOperationDoesNotFailIfTheNodeRefuses() {
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(8 << 20));
                Session session = Session.connect(node.address(), SessionOptions.defaults());
                LeasedMemory memory = LeasedMemory.open(session, "refused", 4096, Protection.STRUCTURE)) {
            long block = memory.allocate(HeapKind.DATA, 64);
            for (int i = 0; i < 2 * Retirements.BATCH; i++) {
                memory.retire(HeapKind.DATA, block, 64);
            }
            for (int i = 0; i < Retirements.BATCH; i++) {
                memory.retire(HeapKind.DATA, memory.allocate(HeapKind.DATA, 64), 64);
            }
        }
    }
}
