package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class BarrierRecordProperties {
    @Property
    void decodesWhatItEncoded(@ForAll @Size(max = 20) List<Long> waiting, @ForAll @Size(max = 20) List<Long> released) {
        BarrierRecord record = new BarrierRecord(waiting.stream().map(id -> new BarrierRecord.Waiter(id, id % 2 == 0)).toList(),
                released);
        assertThat(BarrierRecord.decode(record.encode())).isEqualTo(record);
    }

    /// Random steps of parties of which some die at a random moment: whoever is released was released with exactly as many
    /// others as the barrier has parties, all of which acted after the last of them had joined.
    @Property
    void opensOnlyOnPartiesThatAreThereTogether(@ForAll @IntRange(min = 1, max = 4) int parties, @ForAll Random random) {
        BarrierRecord record = BarrierRecord.EMPTY;
        long clock = 0;
        List<Long> alive = new ArrayList<>();
        Map<Long, Long> joined = new HashMap<>();
        Map<Long, Long> acted = new HashMap<>();
        for (long next = 1; clock < 200; clock++) {
            if (alive.isEmpty() || random.nextInt(4) == 0) {
                alive.add(next++);
            }
            long id = alive.get(random.nextInt(alive.size()));
            if (random.nextInt(10) == 0) {
                alive.remove(id); // It dies and leaves behind whatever it had written.
                continue;
            }
            if (random.nextInt(20) == 0) {
                record = record.without(record.silent(parties));
                continue;
            }
            joined.putIfAbsent(id, clock);
            acted.put(id, clock);
            Set<Long> before = new HashSet<>(record.released());
            record = record.joinedBy(id).confirmedBy(id, parties);
            List<Long> free = record.released().stream().filter(one -> !before.contains(one)).toList();
            alive.removeAll(free);
            assertThat(free.size()).isIn(0, parties);
            long lastJoined = free.stream().mapToLong(joined::get).max().orElse(0);
            assertThat(free).allSatisfy(one -> assertThat(acted.get(one)).isGreaterThanOrEqualTo(lastJoined));
        }
    }

    @Example
    void remembersAsManyReleasedAsFit() {
        BarrierRecord record = BarrierRecord.EMPTY;
        for (long id = 0; id < 5000; id++) {
            record = record.joinedBy(id).confirmedBy(id, 1);
            assertThat(record.hasReleased(id)).isTrue();
        }
        assertThat(record.waiting()).isEmpty();
        assertThat(record.encode().length).isLessThan(Rendezvous.VALUE_MAX_BYTES / 2);
    }
}
