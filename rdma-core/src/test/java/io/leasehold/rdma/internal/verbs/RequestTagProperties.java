package io.leasehold.rdma.internal.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

final class RequestTagProperties {
    @Property
    void aTagLeadsBack(@ForAll boolean receive, @ForAll @IntRange(max = (1 << 20) - 1) int slot,
            @ForAll @IntRange(max = (1 << 23) - 1) int generation, @ForAll @LongRange(max = 1L << 40) long oldest,
            @ForAll @IntRange(max = (1 << 20) - 1) int ahead) {
        long base = RequestTag.base(receive, slot, generation);
        long tag = RequestTag.at(base, oldest + ahead);
        assertThat(RequestTag.isReceive(tag)).isEqualTo(receive);
        assertThat(RequestTag.slot(tag)).isEqualTo(slot);
        assertThat(RequestTag.sameQueue(tag, base)).isTrue();
        assertThat(RequestTag.position(tag, oldest)).isEqualTo(oldest + ahead);
        assertThat(RequestTag.sameQueue(tag, RequestTag.base(!receive, slot, generation))).isFalse();
        assertThat(RequestTag.sameQueue(tag, RequestTag.base(receive, slot, generation ^ 1))).isFalse();
        assertThat(RequestTag.sameQueue(tag, RequestTag.base(receive, slot ^ 1, generation))).isFalse();
    }

    @Property
    void theFieldsLieAsDrawn() {
        assertThat(RequestTag.base(false, 1, 0)).isEqualTo(1L << 43);
        assertThat(RequestTag.base(false, 0, 1)).isEqualTo(1L << 20);
        assertThat(RequestTag.base(true, 0, 0)).isEqualTo(1L << 63);
        assertThat(1 + RequestTag.SLOT_BITS + RequestTag.GENERATION_BITS + RequestTag.POSITION_BITS).isEqualTo(Long.SIZE);
    }
}
