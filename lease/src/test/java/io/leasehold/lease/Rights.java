package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P7: a read lease refuses WRITE, compare-and-swap and fetch-and-add; a write lease without atomics refuses both atomics; in
/// general, what works under a lease are its rights and no others.
final class Rights implements LeaseProperty<Rights.Use> {
    private static final int BYTES = 64;
    private static final long BEFORE = 0x0101_0101_0101_0101L;
    private static final long OPERAND = 0x0202_0202_0202_0202L;

    private final LeaseCluster cluster;
    private final BareClient owner;
    private final BareClient user;
    private final long arena;
    private final Granted all;
    private final LeaseCluster.Witness witness;

    /// A verb under a lease with some rights, on the word with the number `word`.
    record Use(Set<AccessRight> rights, LeaseMode mode, Verb verb, int word) {
    }

    /// The whole matrix.
    static final class Uses implements ArbitrarySupplier<Use> {
        @Override
        public Arbitrary<Use> get() {
            return Combinators.combine(Arbitraries.of(AccessRight.class).set().ofMinSize(1), Arbitraries.of(LeaseMode.class),
                    Arbitraries.of(Verb.class), Arbitraries.integers().between(0, BYTES / Long.BYTES - 1)).as(Use::new);
        }
    }

    Rights(Setting setting) {
        cluster = LeaseCluster.start(setting);
        owner = cluster.bareClient();
        user = cluster.bareClient();
        arena = owner.openNamed("arena", BYTES);
        user.openNamed("arena", BYTES);
        all = owner.acquire(arena, BYTES, Set.of(AccessRight.values()), LeaseMode.UNCHECKED, LeaseCluster.FOR_EVER);
        witness = cluster.witness(arena, BYTES);
    }

    @Override
    public void check(Use use) {
        assertThat(owner.write(owner.address(arena), owner.key(all), BYTES, (byte) BEFORE)).isEqualTo(SUCCESS);
        MemoryModel memory = new MemoryModel(witness.see());
        Granted lease = user.acquire(arena, BYTES, use.rights, use.mode, LeaseCluster.FOR_EVER);
        try {
            int from = use.word * Long.BYTES;
            user.spoil((byte) 0);
            WorkCompletionStatus status = user.access(use.verb, user.address(arena + from), user.key(lease), Long.BYTES, BEFORE,
                    OPERAND);
            boolean allowed = use.rights.contains(use.verb.needs());
            assertThat(status).as("%s", use).isEqualTo(allowed ? SUCCESS : REM_ACCESS_ERR);
            assertThat(user.previous()).as("what %s brought", use)
                    .isEqualTo(allowed && use.verb != Verb.WRITE ? BEFORE : 0);
            if (allowed) {
                memory.apply(use.verb, from, Long.BYTES, BEFORE, OPERAND);
            } else {
                user.recover();
            }
            assertThat(witness.see()).as("memory after %s", use).isEqualTo(memory.bytes());
        } finally {
            user.relinquish(lease);
        }
    }

    @Override
    public void close() {
        cluster.close();
    }
}
