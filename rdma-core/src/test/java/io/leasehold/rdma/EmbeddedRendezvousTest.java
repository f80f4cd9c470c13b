package io.leasehold.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.UUID;
import org.junit.jupiter.api.Test;

class EmbeddedRendezvousTest implements RendezvousContract {
    private final String test = UUID.randomUUID().toString();

    @Override
    public Rendezvous join(String cluster) {
        return Rendezvous.embedded(test + cluster);
    }

    @Test
    void theBoardLastsAsLongAsSomebodyHasItOpen() {
        Rendezvous one = join("c");
        one.publish("v", new byte[] {1});
        try (Rendezvous two = join("c")) {
            one.close();
            assertThat(two.lookup("v")).containsExactly(1);
        }
        try (Rendezvous three = join("c")) {
            assertThat(three.lookup("v")).isNull();
        }
    }
}
