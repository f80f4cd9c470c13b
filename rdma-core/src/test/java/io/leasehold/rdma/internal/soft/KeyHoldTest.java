package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.rdma.DeviceOptions;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class KeyHoldTest {
    private final Pair.Side side = new Pair.Side(DeviceOptions.soft(), 64, options -> options);
    private final KeyTable keys = new KeyTable(11);
    private final KeyHold hold = new KeyHold(keys);
    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void close() {
        arena.close();
        side.close();
    }

    private KeyEntry published() {
        KeyEntry entry = keys.allocate();
        entry.publish(entry.nextKey(), arena.allocate(64), 0, 64, 0, (SoftProtectionDomain) side.domain, null, null);
        return entry;
    }

    @Test
    void staysInsideUntilItLeaves() {
        KeyEntry entry = published();
        assertThat(hold.enter(entry.key())).isSameAs(entry);
        assertThat(hold.enter(entry.key())).isSameAs(entry);
        assertThat(entry.isIdle()).isFalse();
        hold.leave();
        assertThat(entry.isIdle()).isTrue();
        hold.leave();
        assertThat(entry.isIdle()).isTrue();
    }

    @Test
    void aRevokedKeyOpensNothingThoughItIsHeld() {
        KeyEntry entry = published();
        assertThat(hold.enter(entry.key())).isSameAs(entry);
        entry.revoke();
        assertThat(hold.enter(entry.key())).isNull();
        assertThat(entry.isIdle()).isTrue();
    }

    @Test
    void anotherKeyTakesThePlaceOfTheFirst() {
        KeyEntry first = published();
        KeyEntry second = published();
        assertThat(hold.enter(first.key())).isSameAs(first);
        assertThat(hold.enter(second.key())).isSameAs(second);
        assertThat(first.isIdle()).isTrue();
        assertThat(hold.enter(second.key() ^ 1)).isNull();
        assertThat(second.isIdle()).isTrue();
    }
}
