package io.leasehold.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class OperationStreamTest {
    private static final long SEED = 42;
    private static final int ENTRIES = 1000;
    private static final int DRAWS = 200_000;

    private static OperationStream stream(Mix mix, Distribution distribution, long seed) {
        return new OperationStream(new Workload(mix, distribution, 64, ENTRIES), new Zipfian(ENTRIES, Distribution.THETA), seed, 1 << 20);
    }

    private static Distribution distributionOf(Mix mix) {
        return mix.inserts() ? Distribution.LATEST : Distribution.ZIPFIAN;
    }

    @ParameterizedTest
    @EnumSource(Mix.class)
    void kindsHaveTheirShares(Mix mix) {
        OperationStream stream = stream(mix, distributionOf(mix), SEED);
        Map<Mix.Kind, Integer> counts = new EnumMap<>(Mix.Kind.class);
        for (int i = 0; i < DRAWS; i++) {
            stream.advance();
            counts.merge(stream.kind(), 1, Integer::sum);
        }
        for (Mix.Kind kind : Mix.Kind.values()) {
            double share = counts.getOrDefault(kind, 0) / (double) DRAWS;
            assertThat(share).as("%s of %s, seed %d", kind, mix, SEED).isCloseTo(mix.share(kind), within(0.005));
        }
    }

    @Test
    void sharesAreThoseOfYcsb() {
        assertThat(Mix.A.share(Mix.Kind.UPDATE)).isEqualTo(0.5);
        assertThat(Mix.B.share(Mix.Kind.UPDATE)).isEqualTo(0.05);
        assertThat(Mix.C.share(Mix.Kind.READ)).isEqualTo(1);
        assertThat(Mix.D.share(Mix.Kind.INSERT)).isEqualTo(0.05);
        assertThat(Mix.F.share(Mix.Kind.READ_MODIFY_WRITE)).isEqualTo(0.5);
    }

    @Test
    void uniformMeansUniform() {
        OperationStream stream = stream(Mix.C, Distribution.UNIFORM, SEED);
        int[] counts = new int[ENTRIES];
        for (int i = 0; i < DRAWS; i++) {
            stream.advance();
            counts[(int) stream.entry()]++;
        }
        double expected = (double) DRAWS / ENTRIES;
        double chiSquared = 0;
        for (int count : counts) {
            chiSquared += (count - expected) * (count - expected) / expected;
        }
        // 999 degrees of freedom: mean 999, standard deviation 45.
        assertThat(chiSquared).as("seed %d", SEED).isBetween(999 - 5 * 45.0, 999 + 5 * 45.0);
    }

    /// What was drawn and not yet carried out is not there to be read.
    @Test
    void latestReadsOnlyWhatIsThere_andMostOftenWhatIsNew() {
        OperationStream stream = stream(Mix.D, Distribution.LATEST, SEED);
        Set<Long> there = new HashSet<>();
        for (long entry = 0; entry < ENTRIES; entry++) {
            there.add(entry);
        }
        Set<Long> underWay = new HashSet<>();
        int fresh = 0;
        for (int i = 0; i < DRAWS; i++) {
            stream.advance();
            if (stream.kind() == Mix.Kind.INSERT) {
                assertThat(there.contains(stream.entry())).as("entry %d", stream.entry()).isFalse();
                underWay.add(stream.entry());
            } else {
                assertThat(there.contains(stream.entry())).as("entry %d", stream.entry()).isTrue();
                fresh += stream.entry() >= ENTRIES ? 1 : 0;
            }
            if (i % 64 == 63) {
                there.addAll(underWay);
                underWay.clear();
                stream.settle();
            }
        }
        assertThat(stream.inserted()).isGreaterThan(DRAWS / 25);
        assertThat(fresh / (double) DRAWS).isGreaterThan(0.8);
    }

    @Test
    void theSeedDeterminesAll() {
        OperationStream one = stream(Mix.A, Distribution.ZIPFIAN, SEED);
        OperationStream same = stream(Mix.A, Distribution.ZIPFIAN, SEED);
        OperationStream other = stream(Mix.A, Distribution.ZIPFIAN, SEED + 1);
        int differences = 0;
        for (int i = 0; i < 1000; i++) {
            one.advance();
            same.advance();
            other.advance();
            assertThat(same.entry()).isEqualTo(one.entry());
            assertThat(same.kind()).isEqualTo(one.kind());
            differences += other.entry() == one.entry() ? 0 : 1;
        }
        assertThat(differences).isGreaterThan(500);
    }

    @Test
    void insertionsThatMeetLoadedEntriesAreRefused() {
        Workload workload = new Workload(Mix.D, Distribution.LATEST, 64, ENTRIES);
        assertThatThrownBy(() -> new OperationStream(workload, new Zipfian(ENTRIES, 0.99), 1, ENTRIES - 1))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void recordsTellWhoseTheyAre() {
        Set<String> keys = new HashSet<>();
        Records records = new Records(64);
        for (long entry = 0; entry < 10_000; entry++) {
            byte[] key = Records.key(entry);
            assertThat(key).hasSize(16);
            keys.add(new String(key, StandardCharsets.US_ASCII));
            records.check(entry, records.value(entry));
        }
        assertThat(keys).hasSize(10_000).allMatch(key -> key.matches("[0-9a-f]{16}"));
        assertThatThrownBy(() -> records.check(1, records.value(2))).hasMessageContaining("not its own");
        assertThatThrownBy(() -> records.check(1, new Records(8).value(1))).hasMessageContaining("8 bytes");
        assertThatThrownBy(() -> records.check(1, null)).hasMessageContaining("no value");
    }
}
