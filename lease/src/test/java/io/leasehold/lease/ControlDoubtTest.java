package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.lease.ControlMessage.Retire;
import io.leasehold.lease.LeaseException.Effect;
import io.leasehold.testkit.Await;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A request that was sent and not answered is in doubt if the node may have changed something for it, and what the node hands out
/// to nobody goes back.
@Timeout(60)
class ControlDoubtTest {
    private static final long HEAP = 5;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final DoubtfulClient client = new DoubtfulClient();
    private final Session session = client.session;
    private final RemoteHeap heap = openHeap();

    private RemoteHeap openHeap() {
        client.node.script = (_, request) -> answer(request);
        return session.openHeap("h", 64);
    }

    private static @Nullable Reply answer(Request request) {
        return switch (request) {
            case OpenHeap _ -> new Heap(HEAP, 0, 64, true);
            case OpenNamed _ -> new Named(128, 64, true);
            case Allocate _ -> new Allocated(256, 64);
            case AllocateExtent _ -> new Allocated(4096, 128);
            default -> null;
        };
    }

    /// The requests that a test asks for are not answered.
    private void fallSilent() {
        client.node.script = (_, request) -> switch (request) {
            case OpenHeap _, OpenNamed _, Allocate _, AllocateExtent _, Free _, FreeNamed _, Retire _, DestroyHeap _ ->
                ScriptedNode.SILENCE;
            default -> null;
        };
    }

    private <R extends Request> List<R> received(Class<R> type) {
        return client.node.requests.stream().filter(type::isInstance).map(type::cast).toList();
    }

    @AfterEach
    void close() {
        client.close();
    }

    private static void assertInDoubt(Throwable failure) {
        assertThat(failure).isInstanceOf(OutcomeUnknownException.class);
        assertThat(((LeaseException) failure).effect()).isEqualTo(Effect.UNKNOWN);
        assertThat(failure).hasMessageContaining("may have done it");
    }

    @Test
    void unansweredRequestThatChangesTheNodeIsInDoubt() throws Exception {
        fallSilent();
        List<ThrowingCallable> calls = List.of(() -> session.allocate(64), () -> session.free(DoubtfulClient.START),
                () -> session.openOrCreate("n", 64), () -> session.freeNamed("n"), () -> session.openHeap("g", 64),
                () -> session.destroyHeap("h"), () -> heap.allocate(HeapKind.DATA, 64, 64),
                () -> heap.retire(List.of(new Extent(DoubtfulClient.START, 64))));
        List<CompletableFuture<Throwable>> failures = calls.stream().map(ControlDoubtTest::start).toList();
        for (CompletableFuture<Throwable> failure : failures) {
            assertInDoubt(failure.get(20, TimeUnit.SECONDS));
        }
    }

    private static CompletableFuture<Throwable> start(ThrowingCallable call) {
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> failure.complete(catchThrowable(call)));
        return failure;
    }

    @Test
    void unansweredRequestThatOnlyLooksHasChangedNothing() {
        fallSilent();
        assertThatThrownBy(() -> session.open("n")).isInstanceOf(NodeUnavailableException.class)
                .satisfies(e -> assertThat(((LeaseException) e).effect()).isEqualTo(Effect.NONE));
    }

    @Test
    void requestThatIsOnTheWayWhenTheSessionIsClosedIsInDoubt() throws Exception {
        fallSilent();
        CompletableFuture<Throwable> failure = start(() -> session.freeNamed("n"));
        Await.until(PATIENCE, "the request has arrived", () -> !received(FreeNamed.class).isEmpty());
        session.close();
        assertInDoubt(failure.get(20, TimeUnit.SECONDS));
    }

    @Test
    void requestThatWaitedToBeSentHasChangedNothing() throws Exception {
        client.node.script = (_, request) -> request instanceof ControlMessage.Acquire || request instanceof FreeNamed
                ? ScriptedNode.SILENCE : null;
        // As many as there are places, so that the last finds none.
        List<CompletableFuture<Throwable>> failures = Stream.generate(() -> start(() -> session.freeNamed("n")))
                .limit(ControlCodec.REQUESTS_MAX + 20).toList();
        int certain = 0;
        int inDoubt = 0;
        for (CompletableFuture<Throwable> failure : failures) {
            Throwable thrown = failure.get(20, TimeUnit.SECONDS);
            certain += thrown instanceof NodeUnavailableException ? 1 : 0;
            inDoubt += thrown instanceof OutcomeUnknownException ? 1 : 0;
        }
        assertThat(received(FreeNamed.class)).hasSize(inDoubt);
        assertThat(certain).isGreaterThanOrEqualTo(20).isEqualTo(failures.size() - inDoubt);
    }

    @Test
    void memoryThatIsAllocatedTooLateGoesBack() {
        fallSilent();
        assertInDoubt(catchThrowable(() -> session.allocate(64)));
        assertInDoubt(catchThrowable(() -> heap.allocate(HeapKind.DATA, 64, 128)));
        client.node.script = (_, request) -> answer(request);
        client.node.breakControl(); // The requests are sent again, and answered to nobody.
        Await.until(PATIENCE, "the memory went back", () -> !received(Free.class).isEmpty() && !received(Retire.class).isEmpty());
        assertThat(received(Free.class)).containsExactly(new Free(256));
        assertThat(received(Retire.class)).containsExactly(new Retire(HEAP, List.of(new Range(4096, 128))));
    }
}
