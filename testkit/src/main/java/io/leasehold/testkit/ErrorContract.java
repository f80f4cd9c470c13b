package io.leasehold.testkit;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.REM_INV_REQ_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.RNR_RETRY_EXC_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static io.leasehold.rdma.WorkCompletionStatus.WR_FLUSH_ERR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.AsyncEvent;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Testbed.Connection;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What becomes of a queue pair, and of everything posted to it, after something went wrong.
public interface ErrorContract extends FabricContract {
    /// A key that no test region or window has.
    private static int wrong(int key) {
        return new RemoteKey(key).next().value();
    }

    @Test
    default void whatWasPostedBeforeARefusedRequestIsDoneAndWhatWasPostedAfterIsNot() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            Endpoint client = connection.client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            local.memory().fill((byte) 1);
            long address = target.address();
            int key = target.remoteKey();
            client.post(requests -> requests
                    .write(1, local, 0, 8, address, key)
                    .fetchAndAdd(2, local, 8, address + 8, key, 5)
                    .write(3, local, 0, 8, address + 16, wrong(key))
                    .write(4, local, 0, 8, address + 24, key)
                    .fetchAndAdd(5, local, 8, address + 32, key, 5)
                    .read(6, local, 16, 8, address, key)
                    .send(7, local, 0, 8));
            assertThat(client.await(7)).extracting(Completed::id, Completed::status).containsExactly(
                    tuple(1L, SUCCESS), tuple(2L, SUCCESS), tuple(3L, REM_ACCESS_ERR), tuple(4L, WR_FLUSH_ERR),
                    tuple(5L, WR_FLUSH_ERR), tuple(6L, WR_FLUSH_ERR), tuple(7L, WR_FLUSH_ERR));
            assertThat(target.memory().toArray(ValueLayout.JAVA_LONG)).containsExactly(0x0101010101010101L, 5, 0, 0, 0, 0, 0, 0);
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.ERR);
            assertThat(client.poll()).isEmpty();
        }
    }

    @Test
    default void unsignalledRequestsCompleteWhenTheyFail() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            long address = target.address();
            int key = target.remoteKey();
            client.post(requests -> requests
                    .write(1, local, 0, 8, address, key).unsignalled()
                    .write(2, local, 0, 8, address, wrong(key)).unsignalled()
                    .write(3, local, 0, 8, address, key).unsignalled()
                    .write(4, local, 0, 8, address, key));
            assertThat(client.await(3)).extracting(Completed::id, Completed::status).containsExactly(
                    tuple(2L, REM_ACCESS_ERR), tuple(3L, WR_FLUSH_ERR), tuple(4L, WR_FLUSH_ERR));
            assertThat(client.poll()).isEmpty();
        }
    }

    @Test
    default void aRefusedRequestBreaksBothSides() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            connection.server().receive(11, target, 0, 8);
            connection.client().receive(12, local, 0, 8);
            assertThat(connection.client().write(local, 0, 8, target.address(), wrong(target.remoteKey())).status())
                    .isEqualTo(REM_ACCESS_ERR);
            assertThat(connection.client().await()).extracting(Completed::id, Completed::status)
                    .containsExactly(12L, WR_FLUSH_ERR);
            assertThat(connection.server().await()).extracting(Completed::id, Completed::status)
                    .containsExactly(11L, WR_FLUSH_ERR);
            Await.until(Endpoint.PATIENCE, "the responder is in error",
                    () -> connection.server().queuePair().state() == QueuePairState.ERR);
            Await.until(Endpoint.PATIENCE, "the responder's owner is told", () -> bed.server().events().stream()
                    .anyMatch(event -> event.type() == AsyncEvent.Type.QP_ACCESS_ERR
                            && event.number() == connection.server().queuePair().number()));
        }
    }

    @Test
    default void aBrokenQueuePairFlushesWhatIsPostedToIt() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            client.queuePair().toError();
            client.post(requests -> requests.write(1, local, 0, 8, target.address(), target.remoteKey())
                    .localInvalidate(2, target.remoteKey()));
            client.receive(3, local, 0, 8);
            assertThat(client.await(3)).extracting(Completed::id, Completed::status)
                    .containsExactlyInAnyOrder(tuple(1L, WR_FLUSH_ERR), tuple(2L, WR_FLUSH_ERR), tuple(3L, WR_FLUSH_ERR));
        }
    }

    @Test
    default void placesOfFlushedRequestsAreFreeAgain() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withDepth(4, 4));
            Endpoint client = connection.client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            client.queuePair().toError();
            for (int round = 0; round < 5; round++) {
                client.post(requests -> {
                    for (int i = 0; i < 4; i++) {
                        requests.write(i, local, 0, 8, target.address(), target.remoteKey());
                    }
                });
                assertThat(client.await(4)).extracting(Completed::status).containsOnly(WR_FLUSH_ERR);
            }
            connection.reconnect();
            client.post(requests -> {
                for (int i = 0; i < 4; i++) {
                    requests.write(i, local, 0, 8, target.address(), target.remoteKey());
                }
            });
            assertThat(client.await(4)).allMatch(Completed::succeeded);
        }
    }

    @Test
    default void aBrokenConnectionCanBeMadeAgain() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            for (int round = 0; round < 5; round++) {
                assertThat(connection.client().fetchAndAdd(local, 0, target.address(), target.remoteKey(), 1).succeeded())
                        .isTrue();
                assertThat(connection.client().write(local, 0, 8, target.address(), wrong(target.remoteKey())).status())
                        .isEqualTo(REM_ACCESS_ERR);
                connection.reconnect();
            }
            assertThat(target.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(5);
        }
    }

    @Test
    default void resettingDropsWithoutCompletions() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            connection.client().receive(1, local, 0, 8);
            connection.client().receive(2, local, 0, 8);
            connection.client().queuePair().toReset();
            assertThat(connection.client().queuePair().state()).isEqualTo(QueuePairState.RESET);
            assertThat(connection.client().await(Duration.ofMillis(20))).isEmpty();
        }
    }

    @Test
    default void turningToErrorFlushesWhatIsOutstanding() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withTimeouts(Duration.ofSeconds(30), Duration.ofSeconds(30)));
            Endpoint client = connection.client();
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            // Nobody receives: the sends are on the way for half a minute.
            client.post(requests -> requests.send(1, local, 0, 8).send(2, local, 0, 8).unsignalled());
            client.receive(3, local, 0, 8);
            assertThat(client.await(Duration.ofMillis(20))).isEmpty();
            client.queuePair().toError();
            List<Completed> flushed = client.await(3);
            assertThat(flushed).extracting(Completed::id).containsExactlyInAnyOrder(1L, 2L, 3L);
            // The sends may have reached the peer: a provider may say that it does not know.
            assertThat(flushed).allSatisfy(one -> assertThat(one.status())
                    .isIn(one.id() == 3 ? List.of(WR_FLUSH_ERR) : List.of(WR_FLUSH_ERR, WorkCompletionStatus.RETRY_EXC_ERR)));
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.ERR);
        }
    }

    @Test
    default void aSendThatNobodyReceivesIsGivenUp() {
        try (Testbed bed = testbed()) {
            Duration patience = Duration.ofMillis(200);
            Endpoint client = bed.connect(options -> options.withTimeouts(Duration.ofSeconds(5), patience)).client();
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            long start = System.nanoTime();
            client.post(requests -> requests.send(1, local, 0, 8).send(2, local, 0, 8));
            assertThat(client.await(2)).extracting(Completed::status).containsExactly(RNR_RETRY_EXC_ERR, WR_FLUSH_ERR);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(patience.dividedBy(2), Duration.ofSeconds(10));
            assertThat(client.queuePair().state()).isEqualTo(QueuePairState.ERR);
        }
    }

    @Test
    default void aSendWaitsForAReceiveThatComesInTime() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withTimeouts(Duration.ofSeconds(30), Duration.ofSeconds(20)));
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            outbox.memory().set(ValueLayout.JAVA_LONG, 0, 77);
            connection.client().post(requests -> requests.send(1, outbox, 0, 8));
            assertThat(connection.client().await(Duration.ofMillis(30))).isEmpty();
            connection.server().receive(2, inbox, 0, 64);
            assertThat(connection.client().await().succeeded()).isTrue();
            assertThat(connection.server().await().byteLength()).isEqualTo(8);
            assertThat(inbox.memory().get(ValueLayout.JAVA_LONG, 0)).isEqualTo(77);
        }
    }

    @Test
    default void aMessageThatDoesNotFitItsReceiveIsRefused() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect();
            MemoryRegion inbox = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion outbox = bed.client().region(64, Host.EVERYTHING);
            outbox.memory().fill((byte) 3);
            connection.server().receive(1, inbox, 8, 15);
            boolean quirk = quirks().contains(Quirk.LONG_MESSAGE_IS_OP_ERR);
            assertThat(connection.client().send(outbox, 0, 16).status())
                    .isEqualTo(quirk ? WorkCompletionStatus.REM_OP_ERR : REM_INV_REQ_ERR);
            assertThat(connection.server().await().status())
                    .isEqualTo(quirk ? WorkCompletionStatus.LOC_QP_OP_ERR : WorkCompletionStatus.LOC_LEN_ERR);
            assertThat(inbox.memory().asSlice(23).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        }
    }

    @Test
    default void aReadIntoMemoryThatMayNotBeWrittenFailsLocally() {
        try (Testbed bed = testbed()) {
            Endpoint client = bed.connect().client();
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            target.memory().fill((byte) 1);
            MemoryRegion readOnly = bed.client().region(64, AccessFlag.REMOTE_READ);
            PostStatus status = client
                    .tryPost(requests -> requests.read(1, readOnly, 0, 8, target.address(), target.remoteKey()));
            if (status == PostStatus.POSTED) {
                assertThat(client.await().status()).isEqualTo(WorkCompletionStatus.LOC_PROT_ERR);
            } else {
                assertThat(status).isEqualTo(PostStatus.INVALID_REQUEST);
            }
            assertThat(readOnly.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void aRequestToAPeerThatIsGoneEndsInTime() {
        try (Testbed bed = testbed()) {
            Connection connection = bed.connect(options -> options.withTimeouts(Duration.ofSeconds(1), Duration.ofSeconds(1)));
            MemoryRegion target = bed.server().region(64, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(64, Host.EVERYTHING);
            connection.server().queuePair().close();
            long start = System.nanoTime();
            Completed completed = connection.client().write(local, 0, 8, target.address(), target.remoteKey());
            assertThat(completed.status()).isIn(WR_FLUSH_ERR, WorkCompletionStatus.RETRY_EXC_ERR);
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
            assertThat(connection.client().queuePair().state()).isEqualTo(QueuePairState.ERR);
            assertThat(target.memory().get(ValueLayout.JAVA_LONG, 0)).isZero();
        }
    }

    @Test
    default void nothingTakesEffectThroughAQueuePairThatWasClosed() {
        try (Testbed bed = testbed()) {
            MemoryRegion target = bed.server().region(4096, Host.EVERYTHING);
            MemoryRegion local = bed.client().region(4096, Host.EVERYTHING);
            local.memory().fill((byte) 1);
            for (int round = 0; round < 20; round++) {
                Connection connection = bed.connect();
                connection.client().post(requests -> {
                    for (int i = 0; i < 100; i++) {
                        requests.write(i, local, 0, 4096, target.address(), target.remoteKey());
                    }
                });
                connection.server().queuePair().close();
                target.memory().fill((byte) 2);
                // Whatever becomes of the requests, they are over when the last of them has completed.
                connection.client().await(100);
                assertThat(target.memory().toArray(ValueLayout.JAVA_BYTE)).containsOnly(2);
                connection.client().close();
            }
        }
    }
}
