package io.leasehold.testkit;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryWindowType;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

/// Whatever is bound, to whatever range, with whatever rights: an access succeeds iff its key, its range and its right are
/// covered; otherwise no byte is read or changed.
public interface ProtectionContract extends FabricContract {
    /// Something to try.
    sealed interface Step {
        /// Binds a window, after invalidating it if it is bound.
        record Bind(int window, MemoryWindowType type, int offset, int lengthBytes, Set<AccessFlag> rights) implements Step {
        }

        /// Invalidates a type 2 window, if it is bound.
        record Invalidate(int window) implements Step {
        }

        /// An access through the key of a window, or of the region.
        ///
        /// @param window a window, or, one past the last, the region
        /// @param stale whether it uses the variant before
        /// @param access the kind
        /// @param edge if positive or 0 the distance from the begin of what the key opens, else from its end less the length
        /// @param lengthBytes the length of a READ or WRITE
        record Touch(int window, boolean stale, Access access, int edge, int lengthBytes) implements Step {
        }
    }

    /// Random steps on a region and three windows give what [ProtectionModel] says.
    @SuppressWarnings("exports") // The steps are for the engine, not for who implements the contract.
    @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
    default void anAccessIsAllowedIffItsKeyItsRangeAndItsRightAre(@ForAll("rights") Set<AccessFlag> regionRights,
            @ForAll("steps") List<Step> steps) {
        try (Testbed bed = testbed()) {
            ProtectionModel model = new ProtectionModel(bed, regionRights, quirks());
            steps.forEach(model::check);
        }
    }

    /// Any rights that a peer can have, often all of them.
    @Provide
    default Arbitrary<Set<AccessFlag>> rights() {
        EnumSet<AccessFlag> all = EnumSet.of(AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE, AccessFlag.REMOTE_ATOMIC);
        return Arbitraries.oneOf(Arbitraries.just(all), Arbitraries.of(all).set());
    }

    /// Binds, invalidations and accesses in any order.
    @SuppressWarnings("exports") // As above.
    @Provide
    default Arbitrary<List<Step>> steps() {
        Arbitrary<Integer> windows = Arbitraries.integers().between(0, ProtectionModel.WINDOWS - 1);
        Arbitrary<Step> binds = Combinators.combine(windows, types(), offsets(), lengths(), rights()).as(Step.Bind::new);
        Arbitrary<Step> invalidations = windows.map(Step.Invalidate::new);
        // The last index names the region itself; one key in four is the one before.
        Arbitrary<Integer> keys = Arbitraries.integers().between(0, ProtectionModel.WINDOWS);
        Arbitrary<Boolean> stale = Arbitraries.integers().between(0, 3).map(n -> n == 0);
        Arbitrary<Step> accesses = Combinators.combine(keys, stale, Arbitraries.of(Access.class), edges(), lengths())
                .as(Step.Touch::new);
        return Arbitraries.frequencyOf(Tuple.of(4, binds), Tuple.of(3, invalidations),
                Tuple.of(9, accesses)).list().ofMinSize(1).ofMaxSize(24);
    }

    private static Arbitrary<MemoryWindowType> types() {
        return Arbitraries.frequency(Tuple.of(1, MemoryWindowType.TYPE_1), Tuple.of(4, MemoryWindowType.TYPE_2B));
    }

    /// Offsets in the region, more often than not whole words.
    private static Arbitrary<Integer> offsets() {
        return Arbitraries.integers().between(0, ProtectionModel.REGION_BYTES - 1).map(n -> n % 3 == 0 ? n : n & ~7);
    }

    private static Arbitrary<Integer> lengths() {
        return Arbitraries.oneOf(Arbitraries.of(1, 7, 8, 9, 16, 64), Arbitraries.integers().between(1, 100));
    }

    /// Where an access begins: a distance from the begin, or from the end less the length, of what its key opens.
    private static Arbitrary<Integer> edges() {
        return Arbitraries.oneOf(Arbitraries.just(0), Arbitraries.of(0, 1, -1, -2, 8, -8, 16),
                Arbitraries.integers().between(-70, 70));
    }
}
