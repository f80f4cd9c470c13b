package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.StringLength;

class MemcachedKeysProperties {
    @Property
    void aKeyIsOneThatMemcachedTakes(@ForAll @StringLength(max = 300) String cluster,
            @ForAll @StringLength(max = 300) String name) {
        assertThat(new MemcachedKeys(cluster).key("value", name)).startsWith("leasehold/").hasSizeLessThanOrEqualTo(250)
                .matches("[!-~]+");
    }

    @Property
    void differentNamesHaveDifferentKeys(@ForAll @StringLength(max = 4) String oneCluster,
            @ForAll @StringLength(max = 4) String oneName, @ForAll @StringLength(max = 4) String otherCluster,
            @ForAll @StringLength(max = 4) String otherName) {
        // Lone surrogates have no UTF-8 form of their own; no sensible name holds one.
        boolean same = (oneCluster + '\n' + oneName).equals(otherCluster + '\n' + otherName);
        if (wellFormed(oneCluster + oneName + otherCluster + otherName)) {
            String one = new MemcachedKeys(oneCluster).key("value", oneName);
            String other = new MemcachedKeys(otherCluster).key("value", otherName);
            assertThat(one.equals(other)).isEqualTo(same);
        }
    }

    private static boolean wellFormed(String text) {
        return text.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    }
}
