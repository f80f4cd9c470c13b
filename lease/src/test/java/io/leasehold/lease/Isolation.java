package io.leasehold.lease;

import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.rdma.WorkCompletionStatus;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;
import net.jqwik.api.Combinators;

/// P5: another session that knows address, length and key is refused, for the windows are bound to the holder's queue pair.
///
/// The thief has everything that ever travelled to the holder, and tries it on the holder's range and on the holder's lease
/// words, where it could lengthen or end the lease.
final class Isolation implements LeaseProperty<Isolation.Theft> {
    private static final int ARENA_BYTES = 512;

    private final LeaseCluster cluster;
    private final BareClient holder;
    private final BareClient thief;
    private final long arena;
    private final LeaseCluster.Witness witness;

    /// What is stolen.
    enum Loot {
        /// The holder's range, with the key of its lease.
        RANGE,
        /// The holder's lease word, with the key of its words.
        WORD,
        /// The holder's lease word, with the key of the thief's own words.
        WORD_WITH_OWN_KEY
    }

    /// @param thiefHoldsToo whether the thief has a lease on the same range, as a reader beside a reader
    record Theft(int offset, int lengthBytes, Set<AccessRight> rights, Loot loot, Verb verb, boolean thiefHoldsToo) {
    }

    /// Thefts of ranges that begin and end at any byte.
    static final class Thefts implements ArbitrarySupplier<Theft> {
        @Override
        public Arbitrary<Theft> get() {
            return Combinators.combine(Arbitraries.integers().between(0, ARENA_BYTES / 2),
                    Arbitraries.integers().between(1, ARENA_BYTES / 2), Arbitraries.of(AccessRight.class).set().ofMinSize(1),
                    Arbitraries.of(Loot.class), Arbitraries.of(Verb.class), Arbitraries.of(true, false)).as(Theft::new);
        }
    }

    Isolation(Setting setting) {
        cluster = LeaseCluster.start(setting);
        holder = cluster.bareClient();
        thief = cluster.bareClient();
        arena = holder.openNamed("arena", ARENA_BYTES);
        thief.openNamed("arena", ARENA_BYTES);
        witness = cluster.witness(arena, ARENA_BYTES);
    }

    @Override
    public void check(Theft theft) {
        Granted lease = holder.acquire(arena + theft.offset, theft.lengthBytes, theft.rights, LeaseMode.SHARED,
                LeaseCluster.FOR_EVER);
        Granted own = theft.thiefHoldsToo ? thief.acquire(arena + theft.offset, theft.lengthBytes, theft.rights,
                LeaseMode.SHARED, LeaseCluster.FOR_EVER) : null;
        byte[] before = witness.see();
        long word = wordOf(lease);
        try {
            steal(theft, lease);
            assertThat(witness.see()).as("memory after %s", theft).isEqualTo(before);
            assertThat(wordOf(lease)).as("the holder's word after %s", theft).isEqualTo(word);
            stillWorks(theft, lease);
        } finally {
            holder.relinquish(lease);
            if (own != null) {
                thief.relinquish(own);
            }
        }
    }

    private void steal(Theft theft, Granted lease) {
        long address = theft.loot == Loot.RANGE ? holder.address(lease.offset()) : holder.wordAddress(lease);
        if (theft.verb.isAtomic()) {
            address &= -Long.BYTES;
        }
        int key = switch (theft.loot) {
            case RANGE -> holder.key(lease);
            case WORD -> holder.wordKey();
            case WORD_WITH_OWN_KEY -> thief.wordKey();
        };
        int lengthBytes = theft.loot == Loot.RANGE && !theft.verb.isAtomic() ? theft.lengthBytes : Long.BYTES;
        // Would lengthen the holder's lease, if it were let in.
        long operand = theft.loot == Loot.RANGE ? 0x0303_0303_0303_0303L : LeaseWord.word(lease.era(), lease.units() + 1);
        thief.spoil((byte) 0);
        WorkCompletionStatus status = thief.access(theft.verb, address, key, lengthBytes,
                LeaseWord.word(lease.era(), lease.units()), operand);
        assertThat(status).as("%s, with address, length and key of the holder", theft).isIn(theft.verb.refusalsAt(address));
        assertThat(thief.fetched(lengthBytes)).as("what the thief got").containsOnly(0);
        thief.recover();
    }

    /// The word, as its owner sees it.
    private long wordOf(Granted lease) {
        assertThat(holder.fetchAndAdd(holder.wordAddress(lease), holder.wordKey(), 0)).isEqualTo(SUCCESS);
        return holder.previous();
    }

    /// What the thief did is no harm to the holder.
    private void stillWorks(Theft theft, Granted lease) {
        long address = holder.address(lease.offset());
        if (theft.rights.contains(AccessRight.READ)) {
            assertThat(holder.read(address, holder.key(lease), theft.lengthBytes)).as("the holder reads").isEqualTo(SUCCESS);
        }
        if (theft.rights.contains(AccessRight.WRITE)) {
            assertThat(holder.write(address, holder.key(lease), theft.lengthBytes, (byte) theft.offset)).as("the holder writes")
                    .isEqualTo(SUCCESS);
        }
    }

    @Override
    public void close() {
        cluster.close();
    }
}
