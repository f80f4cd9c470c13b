package io.leasehold.rdma;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What every rendezvous must do.
interface RendezvousContract {
    Duration LONG = Duration.ofSeconds(30);
    Duration SHORT = Duration.ofMillis(200);

    /// A new member of `cluster`; one test's clusters are no other's.
    Rendezvous join(String cluster);

    static Stream<String> awkwardNames() {
        return Stream.of("", "a b", "tab\tand\nnewline", "grüße/日本語", "x".repeat(1000), "x".repeat(999) + "y", "%20", "a/../b",
                "\0");
    }

    @Test
    default void aValueIsSeenByOthersUntilItIsWithdrawn() {
        try (Rendezvous one = join("c"); Rendezvous two = join("c")) {
            assertThat(two.lookup("node/0")).isNull();
            one.publish("node/0", "first".getBytes(UTF_8));
            assertThat(two.lookup("node/0")).asString(UTF_8).isEqualTo("first");
            two.publish("node/0", "second".getBytes(UTF_8));
            assertThat(one.lookup("node/0")).asString(UTF_8).isEqualTo("second");
            one.withdraw("node/0");
            one.withdraw("node/0");
            assertThat(two.lookup("node/0")).isNull();
        }
    }

    @Test
    default void aValueIsACopy() {
        try (Rendezvous one = join("c")) {
            byte[] value = {1, 2, 3};
            one.publish("v", value);
            value[0] = 9;
            byte[] read = one.lookup("v");
            read[1] = 9;
            assertThat(one.lookup("v")).containsExactly(1, 2, 3);
        }
    }

    @Test
    default void aValueMayBeEmptyOrAsLongAsTheLimit() {
        try (Rendezvous one = join("c")) {
            one.publish("empty", new byte[0]);
            assertThat(one.lookup("empty")).isEmpty();
            byte[] longest = new byte[Rendezvous.VALUE_MAX_BYTES];
            longest[longest.length - 1] = 7;
            one.publish("longest", longest);
            assertThat(one.lookup("longest")).isEqualTo(longest);
            assertThatThrownBy(() -> one.publish("longer", new byte[Rendezvous.VALUE_MAX_BYTES + 1]))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("longer").hasMessageContaining("65537");
        }
    }

    @ParameterizedTest
    @MethodSource("awkwardNames")
    default void anyTextIsAName(String name) {
        try (Rendezvous one = join(name); Rendezvous other = join(name + "'")) {
            one.publish(name, name.getBytes(UTF_8));
            assertThat(one.lookup(name)).asString(UTF_8).isEqualTo(name);
            assertThat(one.lookup(name + "'")).isNull();
            assertThat(other.lookup(name)).isNull();
            one.barrier(name, 1, LONG);
        }
    }

    @Test
    default void clusterAndNameDoNotRunTogether() {
        try (Rendezvous one = join("a/b"); Rendezvous two = join("a")) {
            one.publish("c", new byte[] {1});
            assertThat(two.lookup("b/c")).isNull();
            assertThat(two.lookup("b/value/c")).isNull();
        }
    }

    @Test
    default void awaitSeesAValueThatComesLater() throws Exception {
        try (Rendezvous one = join("c"); Rendezvous two = join("c"); ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<byte[]> awaited = threads.submit(() -> two.await("late", LONG));
            one.barrier("unrelated", 1, LONG);
            one.publish("late", new byte[] {4});
            assertThat(awaited.get(30, TimeUnit.SECONDS)).containsExactly(4);
            assertThat(two.await("late", Duration.ZERO)).containsExactly(4);
        }
    }

    @Test
    default void awaitNamesWhatDidNotCome() {
        try (Rendezvous one = join("c")) {
            assertThatThrownBy(() -> one.await("node/7", SHORT)).isInstanceOf(RendezvousException.class)
                    .hasMessageContaining("await node/7").hasMessageContaining("nobody has published it");
        }
    }

    @Test
    default void aBarrierHoldsBackUntilAllHaveComeAndServesAgain() throws Exception {
        int parties = 4;
        int rounds = 25;
        AtomicInteger arrivals = new AtomicInteger();
        try (ExecutorService threads = Executors.newFixedThreadPool(parties)) {
            List<Future<?>> runs = new ArrayList<>();
            for (int party = 0; party < parties; party++) {
                runs.add(threads.submit(() -> {
                    try (Rendezvous mine = join("c")) {
                        for (int round = 1; round <= rounds; round++) {
                            arrivals.incrementAndGet();
                            mine.barrier("start", parties, LONG);
                            assertThat(arrivals).as("arrivals after round %s", round)
                                    .hasValueGreaterThanOrEqualTo(round * parties);
                        }
                    }
                }));
            }
            for (Future<?> run : runs) {
                run.get(60, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    default void threadsOfOneMemberAreParties() throws Exception {
        try (Rendezvous one = join("c"); ExecutorService threads = Executors.newFixedThreadPool(6)) {
            List<Future<?>> runs = new ArrayList<>();
            for (int thread = 0; thread < 6; thread++) {
                runs.add(threads.submit(() -> one.barrier("pairs", 2, LONG)));
            }
            for (Future<?> run : runs) {
                run.get(30, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    default void aBarrierSaysHowManyCameAndForgetsThem() throws Exception {
        try (Rendezvous one = join("c"); Rendezvous two = join("c"); ExecutorService threads = Executors.newCachedThreadPool()) {
            assertThatThrownBy(() -> one.barrier("b", 2, SHORT)).isInstanceOf(RendezvousException.class)
                    .hasMessageContaining("barrier b").hasMessageContaining("1 of 2 came");
            assertThatThrownBy(() -> two.barrier("b", 2, SHORT)).isInstanceOf(RendezvousException.class)
                    .hasMessageContaining("1 of 2 came");
            Future<?> first = threads.submit(() -> one.barrier("b", 2, LONG));
            two.barrier("b", 2, LONG);
            first.get(30, TimeUnit.SECONDS);
        }
    }

    @Test
    default void barriersOfTwoClustersAreTwo() {
        try (Rendezvous one = join("c"); Rendezvous two = join("d"); ExecutorService threads = Executors.newCachedThreadPool()) {
            Future<?> first = threads.submit(() -> one.barrier("b", 2, SHORT));
            assertThatThrownBy(() -> two.barrier("b", 2, SHORT)).isInstanceOf(RendezvousException.class);
            assertThatThrownBy(() -> first.get(30, TimeUnit.SECONDS)).hasCauseInstanceOf(RendezvousException.class);
        }
    }

    @Test
    default void anInterruptEndsAWait() throws Exception {
        try (Rendezvous one = join("c")) {
            AtomicInteger ended = new AtomicInteger();
            List<Thread> waiters = List.of(
                    Thread.ofPlatform().start(() -> interrupted(() -> one.await("never", LONG), ended)),
                    Thread.ofPlatform().start(() -> interrupted(() -> one.barrier("never", 2, LONG), ended)));
            for (Thread waiter : waiters) {
                waiter.interrupt();
                assertThat(waiter.join(Duration.ofSeconds(10))).isTrue();
            }
            assertThat(ended).hasValue(2);
        }
    }

    private static void interrupted(Runnable wait, AtomicInteger ended) {
        try {
            wait.run();
        } catch (RendezvousException e) {
            if (Thread.currentThread().isInterrupted() && e.getMessage().contains("interrupted")) {
                ended.incrementAndGet();
            }
        }
    }

    @Test
    default void aClosedMemberRefuses() {
        Rendezvous one = join("c");
        one.close();
        one.close();
        assertThatThrownBy(() -> one.lookup("x")).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
        assertThatThrownBy(() -> one.publish("x", new byte[1])).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> one.barrier("x", 1, LONG)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    default void partiesAreLimited() {
        try (Rendezvous one = join("c")) {
            assertThatThrownBy(() -> one.barrier("x", 0, LONG)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> one.barrier("x", Rendezvous.PARTIES_MAX + 1, LONG))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("1024");
        }
    }
}
