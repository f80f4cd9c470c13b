package io.leasehold.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.testkit.Testbed.Connection;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import net.jqwik.api.Example;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Each lie is found out by the contracts, so a provider that passes them does not lie so.
class MutantDeviceTest {
    /// What a contract asserts.
    @FunctionalInterface
    private interface Clause {
        void holdsFor(RdmaProviderContract provider) throws Exception;
    }

    /// The clauses that must fail for each lie.
    private static final Map<Mutation, List<Clause>> BITTEN = Map.ofEntries(
            Map.entry(Mutation.SKIP_INVALIDATION, List.of(RdmaProviderContract::anInvalidatedWindowOpensNothing,
                    RdmaProviderContract::noWriteTakesEffectAfterAnInvalidation)),
            Map.entry(Mutation.DELAY_INVALIDATION, List.of(RdmaProviderContract::noWriteTakesEffectAfterAnInvalidation,
                    RdmaProviderContract::noReadSeesWhatWasWrittenAfterAnInvalidation,
                    RdmaProviderContract::eachAtomicBeforeAnInvalidationCountsAndNoneAfter)),
            Map.entry(Mutation.IGNORE_RIGHTS, List.of(RdmaProviderContract::aWindowGivesTheRightsThatItIsBoundWith)),
            Map.entry(Mutation.WIDEN_BOUNDS, List.of(RdmaProviderContract::aWindowIsOpenToItsLastByteAndNotOneFurther)),
            Map.entry(Mutation.REUSE_KEY, List.of(RdmaProviderContract::aStaleKeyIsRefused)),
            Map.entry(Mutation.IGNORE_QUEUE_PAIR, List.of(RdmaProviderContract::aType2WindowAnswersOnItsQueuePairOnly)),
            Map.entry(Mutation.SKIP_BIND, List.of(RdmaProviderContract::aWindowGivesTheRightsThatItIsBoundWith)),
            Map.entry(Mutation.CAS_ALWAYS_WINS, List.of(RdmaProviderContract::ofManyWhoSwapTheSameValueOneWins,
                    RdmaProviderContract::compareAndSwapSwapsIfItFindsWhatItExpects)),
            Map.entry(Mutation.SWAP_UNCONDITIONALLY, List.of(RdmaProviderContract::ofManyWhoSwapTheSameValueOneWins,
                    RdmaProviderContract::compareAndSwapSwapsIfItFindsWhatItExpects)),
            Map.entry(Mutation.LOSE_ATOMICS, List.of(RdmaProviderContract::additionsOfManyAddUp,
                    RdmaProviderContract::fetchAndAddReturnsWhatWasThere)),
            Map.entry(Mutation.REPEAT_ATOMICS, List.of(RdmaProviderContract::fetchAndAddReturnsWhatWasThere)),
            Map.entry(Mutation.REVERSE_BATCHES, List.of(RdmaProviderContract::completionsComeInTheOrderOfTheRequests,
                    RdmaProviderContract::whatWasPostedBeforeARefusedRequestIsDoneAndWhatWasPostedAfterIsNot)),
            Map.entry(Mutation.FLUSH_WHAT_WAS_DONE, List.of(RdmaProviderContract::fetchAndAddReturnsWhatWasThere)),
            Map.entry(Mutation.LEAK_WINDOWS, List.of(RdmaProviderContract::aClosedWindowOpensNothing)),
            Map.entry(Mutation.IGNORE_REGION_RIGHTS, List.of(RdmaProviderContract::aRegionGivesTheRightsThatItHas)),
            Map.entry(Mutation.WIDEN_REGIONS, List.of(RdmaProviderContract::aRegionIsOpenToItsLastByteAndNotOneFurther)),
            Map.entry(Mutation.KEEP_REGIONS, List.of(RdmaProviderContract::theKeyOfAClosedRegionOpensNothing)),
            Map.entry(Mutation.CLOSE_REGIONS_LATER, List.of(RdmaProviderContract::theKeyOfAClosedRegionOpensNothing)),
            Map.entry(Mutation.IGNORE_DOMAIN,
                    List.of(RdmaProviderContract::aKeyOpensNothingThroughAQueuePairOfAnotherDomain)));

    /// How many samples of the protection contract a lie may survive.
    private static final int SAMPLES = 1500;

    private static MutantDevice device(Mutation mutation) {
        MutantDevice device = MutantDevice.of(RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL)));
        device.mutate(mutation);
        return device;
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void theContractsNoticeEachLie(Mutation mutation) {
        RdmaProviderContract liar = () -> device(mutation);
        assertThat(BITTEN).containsKey(mutation);
        assertThat(BITTEN.get(mutation)).allSatisfy(clause -> assertThatThrownBy(() -> clause.holdsFor(liar))
                .isInstanceOfAny(AssertionError.class, ExecutionException.class));
    }

    @Example
    void theModelNoticesEachLieAboutWindows() {
        for (Mutation mutation : EnumSet.of(Mutation.SKIP_INVALIDATION, Mutation.IGNORE_RIGHTS, Mutation.WIDEN_BOUNDS,
                Mutation.REUSE_KEY, Mutation.SKIP_BIND, Mutation.LOSE_ATOMICS, Mutation.CAS_ALWAYS_WINS)) {
            RdmaProviderContract liar = () -> device(mutation);
            Throwable found = catchThrowable(() -> {
                for (int i = 0; i < SAMPLES; i++) {
                    liar.anAccessIsAllowedIffItsKeyItsRangeAndItsRightAre(Set.of(), liar.steps().sample());
                }
            });
            assertThat(found).as("%s after %s samples", mutation, SAMPLES).isInstanceOf(AssertionError.class);
        }
    }

    @Test
    void aHealedDeviceTellsTheTruthAgain() {
        MutantDevice server = device(Mutation.NONE);
        try (Testbed bed = new Testbed(Host.of("server", server), Host.of("client", device(Mutation.NONE)))) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Connection connection = bed.connect();
            for (Mutation mutation : EnumSet.complementOf(EnumSet.of(Mutation.LEAK_WINDOWS))) {
                server.mutate(mutation);
                BoundWindow lied = connection.server().bind(MemoryWindowType.TYPE_2B, region, 0, 64, AccessFlag.REMOTE_READ);
                connection.server().invalidate(lied.key());
                server.heal();
                BoundWindow window = connection.server().bind(lied.window(), region, 0, 64, AccessFlag.REMOTE_READ);
                assertThat(connection.client().read(bed.client().region(64, Host.EVERYTHING), 0, 8, window.address(),
                        window.key()).succeeded()).as("after %s", mutation).isTrue();
                assertThat(connection.server().invalidate(window.key()).succeeded()).as("after %s", mutation).isTrue();
            }
        }
    }

    @Test
    void anObserverSeesWhatIsReallyDoneToWindows() {
        MutantDevice server = device(Mutation.NONE);
        List<String> seen = new ArrayList<>();
        server.observe(new WindowObserver() {
            @Override
            public void bound(int key, long address, long lengthBytes, int access, int queuePair) {
                seen.add("bound " + key + " +" + lengthBytes + " " + AccessFlag.of(access));
            }

            @Override
            public void invalidated(int key) {
                seen.add("invalidated " + key);
            }

            @Override
            public void closed(int key) {
                seen.add("closed " + key);
            }
        });
        int first;
        int second;
        try (Testbed bed = new Testbed(Host.of("server", server), Host.of("client", device(Mutation.NONE)))) {
            MemoryRegion region = bed.server().region(64, Host.EVERYTHING);
            Endpoint endpoint = bed.connect().server();
            BoundWindow window = endpoint.bind(MemoryWindowType.TYPE_2B, region, 0, 8, AccessFlag.REMOTE_READ);
            first = window.key();
            endpoint.invalidate(first);
            second = endpoint.bind(window.window(), region, 8, 16, AccessFlag.REMOTE_WRITE).key();
        }
        assertThat(seen).containsExactly("bound " + first + " +8 [REMOTE_READ]", "invalidated " + first,
                "bound " + second + " +16 [REMOTE_WRITE]", "closed " + second);
    }
}
