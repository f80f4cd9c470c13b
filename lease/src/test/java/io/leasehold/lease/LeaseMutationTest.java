package io.leasehold.lease;

import static io.leasehold.lease.Fabric.LOCAL;
import static io.leasehold.testkit.Mutation.CAS_ALWAYS_WINS;
import static io.leasehold.testkit.Mutation.CLOSE_REGIONS_LATER;
import static io.leasehold.testkit.Mutation.DELAY_INVALIDATION;
import static io.leasehold.testkit.Mutation.FLUSH_WHAT_WAS_DONE;
import static io.leasehold.testkit.Mutation.IGNORE_DOMAIN;
import static io.leasehold.testkit.Mutation.IGNORE_QUEUE_PAIR;
import static io.leasehold.testkit.Mutation.IGNORE_REGION_RIGHTS;
import static io.leasehold.testkit.Mutation.IGNORE_RIGHTS;
import static io.leasehold.testkit.Mutation.KEEP_REGIONS;
import static io.leasehold.testkit.Mutation.LEAK_WINDOWS;
import static io.leasehold.testkit.Mutation.LOSE_ATOMICS;
import static io.leasehold.testkit.Mutation.NONE;
import static io.leasehold.testkit.Mutation.REPEAT_ATOMICS;
import static io.leasehold.testkit.Mutation.REUSE_KEY;
import static io.leasehold.testkit.Mutation.REVERSE_BATCHES;
import static io.leasehold.testkit.Mutation.SKIP_BIND;
import static io.leasehold.testkit.Mutation.SKIP_INVALIDATION;
import static io.leasehold.testkit.Mutation.SWAP_UNCONDITIONALLY;
import static io.leasehold.testkit.Mutation.WIDEN_BOUNDS;
import static io.leasehold.testkit.Mutation.WIDEN_REGIONS;
import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Confinement.Step;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.MutantDevice;
import io.leasehold.testkit.Mutation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongSupplier;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.RandomGenerator;
import net.jqwik.api.sessions.JqwikSession;
import org.junit.jupiter.api.Test;

/// Each of the properties P1 to P12 bites: where something is wrong on purpose that it is there to find, it fails, and says what
/// it found.
///
/// What is tried is drawn from a seed, so that a run is like the one before, as far as threads and clocks let it. And where
/// nothing is wrong, on the same device that only could lie, the same tries pass.
final class LeaseMutationTest {
    private static final int TRIES_MAX = 300;
    private static final int HEALTHY_TRIES = 20;
    private static final long SEED = 1_234_567;

    // ---- P1

    @Test
    void p01_confinement_bitesWhereWindowsAreTooWide() {
        bites(Confinement::new, new Confinement.Steps().get(), new Lie(WIDEN_BOUNDS), "an access that no live lease allows");
    }

    @Test
    void p01_confinement_bitesWhereRightsAreIgnored() {
        bites(Confinement::new, new Confinement.Steps().get(), new Lie(IGNORE_RIGHTS), "an access that no live lease allows");
    }

    @Test
    void p01_confinement_bitesWhereInvalidationIsSkipped() {
        bites(Confinement::new, touchesOfWhatHasEnded(), new Lie(SKIP_INVALIDATION), "an access that no live lease allows");
    }

    private static Arbitrary<List<Step>> touchesOfWhatHasEnded() {
        return Combinators.combine(Arbitraries.of(Verb.class), Arbitraries.integers().between(0, 100))
                .as((verb, salt) -> List.of(new Step.Acquire(0, salt, 64, Set.of(AccessRight.values()), false),
                        new Step.Relinquish(0), new Step.Touch(0, verb, Confinement.Place.INSIDE, 0, 8)));
    }

    @Test
    void p01_confinement_bitesWhereBindingIsSkipped() {
        bites(Confinement::new, new Confinement.Steps().get(), new Lie(SKIP_BIND), "a live lease");
    }

    // ---- P2

    @Test
    void p02_expiry_bitesWhereTheNodesClockIsSlow() {
        bites(Expiry::new, new Expiry.Lives().get(), Setting.on(LOCAL).withNodeClock(clock -> at(0.01, clock)),
                "so long after the deadline");
    }

    @Test
    void p02_expiry_bitesWhereTheNodesClockIsFast() {
        bites(Expiry::new, new Expiry.Lives().get(), Setting.on(LOCAL).withNodeClock(clock -> at(10, clock)),
                "refused before the deadline");
    }

    @Test
    void p02_expiry_bitesWhereInvalidationIsSkipped() {
        bites(Expiry::new, new Expiry.Lives().get(), new Lie(SKIP_INVALIDATION), "though the deadline has long passed");
    }

    @Test
    void p02_expiryByTheHoldersClock_bitesWhereTheNodesClockIsFast() {
        bites(HolderClock::new, new HolderClock.Terms().get(), Setting.on(LOCAL).withNodeClock(clock -> at(10, clock)),
                "the refusal");
    }

    // ---- P3

    @Test
    void p03_extendAgainstRevoke_bitesWhereTheNodesSwapAlwaysWins() {
        bites(Extension::new, new Extension.Races().get(), new Lie(SWAP_UNCONDITIONALLY), "the holder extended, and");
    }

    @Test
    void p03_extendAgainstRevoke_bitesWhereTheNodeBelievesThatItHasSwapped() {
        bites(Extension::new, new Extension.Races().get(), new Lie(CAS_ALWAYS_WINS), "what the node left in the word");
    }

    // ---- P4

    @Test
    void p04_fencing_bitesWhereInvalidationIsSkipped() {
        bites(Fencing::new, new Fencing.Handovers().get(), new Lie(SKIP_INVALIDATION), "the heir sees only what it wrote");
    }

    @Test
    void p04_fencing_bitesWhereRangesAreFreeBeforeTheirKeysAreDead() {
        bites(Fencing::new, new Fencing.Handovers().get(), new Lie(DELAY_INVALIDATION), "the heir sees only what it wrote");
    }

    // ---- P5

    @Test
    void p05_isolation_bitesWhereWindowsAnswerOnEveryQueuePair() {
        bites(Isolation::new, new Isolation.Thefts().get(), new Lie(IGNORE_QUEUE_PAIR),
                "with address, length and key of the holder");
    }

    // ---- P6

    @Test
    void p06_modes_bitesWhereModesAreIgnored() {
        bites(Modes::new, new Modes.Steps().get(), Setting.on(LOCAL).withModes(_ -> LeaseMode.UNCHECKED), "which was granted");
    }

    @Test
    void p06_modes_bitesWhereSharedLeasesExcludeEachOther() {
        bites(Modes::new, new Modes.Steps().get(), Setting.on(LOCAL).withModes(_ -> LeaseMode.EXCLUSIVE), "which was refused");
    }

    @Test
    void p06_modesOfACrowd_bitesWhereModesAreIgnored() {
        bites(Crowd::new, new Crowd.Visits().get(), Setting.on(LOCAL).withModes(_ -> LeaseMode.UNCHECKED), "others at byte");
    }

    // ---- P7

    @Test
    void p07_rights_bitesWhereRightsAreIgnored() {
        bites(Rights::new, new Rights.Uses().get(), new Lie(IGNORE_RIGHTS), "Use[");
    }

    // ---- P8

    @Test
    void p08_recovery_bitesWhereOperationsAreRepeated() {
        bites(ExactlyOnce::new, new ExactlyOnce.Storms().get(), new Lie(REPEAT_ATOMICS).ofTheClients(), "the sum");
    }

    @Test
    void p08_recovery_bitesWhereWhatWasDoneIsCalledFlushed() {
        bites(ExactlyOnce::new, new ExactlyOnce.Storms().get(), new Lie(FLUSH_WHAT_WAS_DONE).ofTheClients(), "the sum");
    }

    @Test
    void p08_recovery_bitesWhereWhatFollowsARefusedRequestIsDone() {
        bites(ExactlyOnce::new, new ExactlyOnce.Storms().get(), new Lie(REVERSE_BATCHES).ofTheClients(), "the batch wrote");
    }

    @Test
    void p08_recovery_bitesWhereOperationsAreLost() {
        bites(ExactlyOnce::new, new ExactlyOnce.Storms().get(), new Lie(LOSE_ATOMICS).ofTheClients(), "the sum");
    }

    // ---- P9

    @Test
    void p09_noLeak_bitesWhereWindowsAreNotFreed() {
        bites(LeaseMutationTest::noLeak, new NoLeak.Lives().get(), new Lie(LEAK_WINDOWS), "the node's counts");
    }

    @Test
    void p09_noLeak_bitesWhereWindowsStayBound() {
        // It shows in the counts, or in the failure of the next bind, whichever is first.
        bites(LeaseMutationTest::noLeak, new NoLeak.Lives().get(), new Lie(SKIP_INVALIDATION), "the node");
    }

    private static NoLeak noLeak(Setting setting) {
        return new NoLeak(setting, Duration.ofSeconds(5));
    }

    // ---- P10

    @Test
    void p10_death_bitesWhereTheNodeDoesNotNotice() {
        bites(Death::new, new Death.Lives().get(), Setting.on(LOCAL).withNodeClock(clock -> at(0.005, clock)),
                "time from the death of a client");
    }

    // ---- P11

    @Test
    void p11_keys_bitesWhereKeysAreReused() {
        bites(FreshKeys::new, new FreshKeys.Steps().get(), new Lie(REUSE_KEY), "twice in a row");
    }

    @Test
    void p11_keys_bitesWhereStaleKeysWork() {
        bites(FreshKeys::new, new FreshKeys.Steps().get(), new Lie(SKIP_INVALIDATION), "stale key");
    }

    // ---- P12

    @Test
    void p12_capacity_bitesWhereALeaseIsGrantedWithoutAWindow() {
        bites(Capacity::new, new Capacity.Steps().get(), new Lie(SKIP_BIND), "an access under");
    }

    @Test
    void p12_capacity_bitesWhereMoreIsGrantedThanThereIs() {
        bites(Capacity::new, new Capacity.Steps().get(), Setting.on(LOCAL).withNodeDevice(LeaseMutationTest::withMoreWindows),
                "what had run out when a");
    }

    // ---- where leases rest on regions

    @Test
    void p01_confinement_bitesWhereRegionsAreTooWide() {
        bites(Confinement::new, new Confinement.Steps().get(), new Lie(WIDEN_REGIONS).aboutRegions(),
                "an access that no live lease allows");
    }

    @Test
    void p01_confinement_bitesWhereRegionsOutliveTheirLeases() {
        bites(Confinement::new, touchesOfWhatHasEnded(), new Lie(KEEP_REGIONS).aboutRegions(),
                "an access that no live lease allows");
    }

    @Test
    void p02_expiry_bitesWhereRegionsOutliveTheirLeases() {
        bites(Expiry::new, new Expiry.Lives().get(), new Lie(KEEP_REGIONS).aboutRegions(), "though the deadline has long passed");
    }

    @Test
    void p04_fencing_bitesWhereRangesAreFreeBeforeTheirRegionsAreGone() {
        bites(Fencing::new, new Fencing.Handovers().get(), new Lie(CLOSE_REGIONS_LATER).aboutRegions(),
                "the heir sees only what it wrote");
    }

    @Test
    void p05_isolation_bitesWhereSessionsShareADomain() {
        bites(Isolation::new, new Isolation.Thefts().get(), new Lie(IGNORE_DOMAIN).aboutRegions(),
                "with address, length and key of the holder");
    }

    @Test
    void p07_rights_bitesWhereRegionsHaveAllRights() {
        bites(Rights::new, new Rights.Uses().get(), new Lie(IGNORE_REGION_RIGHTS).aboutRegions(), "Use[");
    }

    @Test
    void p09_noLeak_bitesWhereRegionsOutliveTheirLeases() {
        bites(LeaseMutationTest::noLeak, new NoLeak.Lives().get(), new Lie(KEEP_REGIONS).aboutRegions(), "the node");
    }

    @Test
    void p11_keys_bitesWhereStaleKeysOfRegionsWork() {
        bites(FreshKeys::new, new FreshKeys.Steps().get(), new Lie(KEEP_REGIONS).aboutRegions(), "stale key");
    }

    // ---- what is wrong

    /// A device that lies.
    private static final class Lie {
        private final Mutation mutation;
        private final List<MutantDevice> liars = new ArrayList<>();
        private boolean clients;
        private boolean regions;

        Lie(Mutation mutation) {
            this.mutation = mutation;
        }

        /// Has the clients' device lie, and not the node's.
        Lie ofTheClients() {
            clients = true;
            return this;
        }

        /// Has leases rest on regions.
        Lie aboutRegions() {
            regions = true;
            return this;
        }

        Setting told() {
            return setting(mutation);
        }

        Setting notTold() {
            return setting(NONE);
        }

        /// Some lies take two: the other side is a device that could lie as well.
        private Setting setting(Mutation told) {
            Setting setting = regions ? Setting.on(LOCAL).withRegions() : Setting.on(LOCAL);
            return setting.withNodeDevice(device -> liar(device, clients ? NONE : told))
                    .withClientDevice(device -> liar(device, clients ? told : NONE));
        }

        private RdmaDevice liar(RdmaDevice device, Mutation how) {
            MutantDevice liar = MutantDevice.of(device);
            liar.mutate(how);
            liars.add(liar);
            return liar;
        }

        /// So that a cluster can be closed that was lied to.
        void heal() {
            liars.forEach(MutantDevice::heal);
        }
    }

    /// A clock that begins with `clock` and runs so much faster.
    private static LongSupplier at(double speed, LongSupplier clock) {
        long start = clock.getAsLong();
        return () -> start + (long) ((clock.getAsLong() - start) * speed);
    }

    private static RdmaDevice withMoreWindows(RdmaDevice device) {
        device.close();
        return RdmaDevice.open(LOCAL.on(DeviceOptions.soft()));
    }

    // ---- how it is shown

    private static <T> void bites(Function<Setting, LeaseProperty<T>> property, Arbitrary<T> inputs, Lie lie, String says) {
        fails(property, inputs, lie.told(), lie::heal, says);
        holds(property, inputs, lie.notTold());
    }

    private static <T> void bites(Function<Setting, LeaseProperty<T>> property, Arbitrary<T> inputs, Setting wrong,
            String says) {
        fails(property, inputs, wrong, () -> { }, says);
        holds(property, inputs, Setting.on(LOCAL));
    }

    private static <T> void fails(Function<Setting, LeaseProperty<T>> property, Arbitrary<T> inputs, Setting wrong,
            Runnable heal, String says) {
        AssertionError failure = null;
        LeaseProperty<T> tried = property.apply(wrong);
        try {
            for (T input : draw(inputs, TRIES_MAX)) {
                tried.check(input);
            }
        } catch (AssertionError e) {
            failure = e;
        } catch (Exception e) {
            throw new AssertionError("the property failed otherwise than by an assertion", e);
        } finally {
            heal.run();
            closeAnyhow(tried);
        }
        assertThat(failure).as("what the property found in %d tries", TRIES_MAX).isNotNull().hasMessageContaining(says);
    }

    private static void closeAnyhow(AutoCloseable cluster) {
        try {
            cluster.close();
        } catch (Exception | AssertionError e) {
            // It was lied to: that it cannot be closed in order is no wonder.
            System.getLogger(LeaseMutationTest.class.getName()).log(System.Logger.Level.DEBUG, "closing", e);
        }
    }

    private static <T> void holds(Function<Setting, LeaseProperty<T>> property, Arbitrary<T> inputs, Setting setting) {
        try (LeaseProperty<T> tried = property.apply(setting)) {
            for (T input : draw(inputs, HEALTHY_TRIES)) {
                tried.check(input);
            }
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static <T> List<T> draw(Arbitrary<T> arbitrary, int count) {
        List<T> drawn = new ArrayList<>();
        JqwikSession.run(() -> {
            Random random = new Random(SEED);
            RandomGenerator<T> generator = arbitrary.generator(count);
            for (int i = 0; i < count; i++) {
                drawn.add(generator.next(random).value());
            }
        });
        return drawn;
    }
}
