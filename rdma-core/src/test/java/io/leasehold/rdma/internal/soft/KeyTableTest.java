package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class KeyTableTest {
    @Test
    void findsWhatItAllocatedAndNothingElse() {
        var table = new KeyTable(7);
        Set<Integer> indexes = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            KeyEntry entry = table.allocate();
            assertThat(indexes.add(entry.index())).isTrue();
            assertThat(table.find(entry.key())).isSameAs(entry);
        }
        int strangers = 0;
        for (int index = 0; index < 1 << 24; index += 97) {
            if (!indexes.contains(index)) {
                assertThat(table.find(index << 8)).isNull();
                strangers++;
            }
        }
        assertThat(strangers).isGreaterThan(100_000);
    }

    @Test
    void permutationIsThatOfTheSeed() {
        assertThat(new KeyTable(1).allocate().index()).isEqualTo(new KeyTable(1).allocate().index())
                .isNotEqualTo(new KeyTable(2).allocate().index());
    }

    @Test
    void aReusedIndexDoesNotReviveTheOldKey() {
        var table = new KeyTable(3);
        KeyEntry first = table.allocate();
        int key = first.nextKey();
        table.release(first);
        KeyEntry second = table.allocate();
        assertThat(second).isSameAs(first);
        assertThat(second.enter(key)).isFalse();
    }
}
