package io.leasehold.rdma;

import java.util.List;
import java.util.stream.Collectors;

/// Which of the things that protection rests on a device did when it was tried, see [RdmaDevice#probe()].
///
/// @param device the device's name
/// @param trials what was tried, in order
public record ProbeReport(String device, List<Trial> trials) {
    /// Keeps a copy of the list.
    public ProbeReport {
        trials = List.copyOf(trials);
    }

    /// What a trial is about.
    public enum Subject {
        /// Memory windows of type 2B.
        WINDOWS,
        /// Memory regions, which leases rest on where windows do not do.
        REGIONS
    }

    /// One thing that was tried.
    ///
    /// @param subject what it is about
    /// @param name what must be so
    /// @param passed whether it was
    /// @param detail what happened
    public record Trial(Subject subject, String name, boolean passed, String detail) {
        @Override
        public String toString() {
            return (passed ? "ok      " : "FAILED  ") + name + (passed ? "" : ": " + detail);
        }
    }

    /// Whether all was as it must be.
    public boolean passed() {
        return trials.stream().allMatch(Trial::passed);
    }

    /// Whether all about one subject was as it must be.
    public boolean passed(Subject subject) {
        return trials.stream().allMatch(trial -> trial.passed() || trial.subject() != subject);
    }

    /// What was not as it must be.
    public List<Trial> failures() {
        return trials.stream().filter(trial -> !trial.passed()).toList();
    }

    /// One line for each trial.
    @Override
    public String toString() {
        return device + '\n' + trials.stream().map(Trial::toString).collect(Collectors.joining("\n"));
    }
}
