package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

final class TallyProperties {
    @Property
    void everyChunkCountsOnce(@ForAll List<@IntRange(max = 40) Integer> deliveries) {
        Tally tally = Tally.NONE;
        for (int chunk : deliveries) {
            tally = tally.with(chunk, chunk + 1);
        }
        long expected = deliveries.stream().distinct().mapToLong(chunk -> chunk + 1).sum();
        assertThat(tally.count()).isEqualTo(expected);
        assertThat(tally.chunks().stream().boxed()).containsExactlyElementsOf(deliveries.stream().distinct().sorted().toList());
        assertThat(Tally.NONE.chunks().isEmpty()).isTrue();
    }
}
