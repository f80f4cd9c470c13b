package io.leasehold.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Runs trials in interleaved rounds: in each, all cells, and in each cell all subjects one right after the other, so that what
/// disturbs the machine disturbs all alike. The first round is for the compilers and does not count. Who begins changes from
/// round to round.
final class Rounds {
    /// A shorter turn would measure its own beginning.
    static final Duration TURN_MIN = Duration.ofMillis(20);

    private final List<Trial> trials;
    private final int rounds;
    private final Progress progress;

    Rounds(List<Trial> trials, int rounds, Progress progress) {
        if (rounds < 1) {
            throw new IllegalArgumentException(rounds + " rounds; at least 1");
        }
        this.trials = trials;
        this.rounds = rounds;
        this.progress = progress;
    }

    /// How long each turn takes if all of them take `budget`.
    ///
    /// @throws IllegalArgumentException if that is too short to measure anything
    Duration turn(Duration budget) {
        long turns = (long) trials.size() * (rounds + 1);
        Duration turn = turns == 0 ? Duration.ZERO : budget.dividedBy(turns);
        if (turn.compareTo(TURN_MIN) < 0) {
            throw new IllegalArgumentException(("%d trials in %d rounds do not fit the %d s that are left: "
                    + "give them %d more with --seconds, or choose fewer, see --help").formatted(trials.size(), rounds + 1,
                            Math.max(0, budget.toSeconds()), TURN_MIN.multipliedBy(turns).minus(budget).toSeconds() + 1));
        }
        return turn;
    }

    /// Runs all of them, each for `turn` a round; a trial that fails, fails everything.
    Results run(Duration turn) throws Exception {
        long nanos = turn.toNanos();
        Results results = new Results();
        progress.begin(trials.size() * (rounds + 1), nanos);
        for (int round = 0; round <= rounds; round++) {
            for (List<Trial> together : byCell().values()) {
                List<Trial> order = new ArrayList<>(together);
                Collections.rotate(order, round - 1);
                for (Trial trial : order) {
                    progress.step((round == 0 ? "warm-up" : "round " + round + " of " + rounds) + ": " + trial.subject() + ", "
                            + trial.cell().label());
                    boolean counts = round > 0;
                    trial.body().run(nanos, (metric, figure) -> {
                        if (counts) {
                            results.add(trial.subject(), trial.cell(), metric, figure);
                        }
                    });
                }
            }
        }
        progress.end();
        return results;
    }

    private Map<Cell, List<Trial>> byCell() {
        Map<Cell, List<Trial>> cells = new LinkedHashMap<>();
        trials.forEach(trial -> cells.computeIfAbsent(trial.cell(), _ -> new ArrayList<>()).add(trial));
        return cells;
    }
}
