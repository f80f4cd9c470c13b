package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.internal.NicClock;
import java.time.Duration;

/// Durations in the units of a queue pair's attributes.
final class Patience {
    /// Of `retry_cnt` and `rnr_retry`. Not 7, which means for ever: for `rnr_retry` everywhere, for `retry_cnt` on rxe.
    static final int RETRIES = 6;
    private static final double TIMEOUT_UNIT_NANOS = 4096;
    private static final int TIMEOUT_MAX = 31;
    /// `min_rnr_timer`, in microseconds: what each of its 32 values means, from 1 on; 0 is the longest.
    private static final int[] TIMER_MICROS = {10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840,
        5120, 7680, 10_240, 15_360, 20_480, 30_720, 40_960, 61_440, 81_920, 122_880, 163_840, 245_760, 327_680, 491_520, 655_360};

    private Patience() {
    }

    /// The exponent *t* for `timeout`, so that 4.096 us · 2^t, waited out once and for each retry, comes nearest to `total`.
    static int timeoutExponent(Duration total) {
        double each = NicClock.nanosOf(total) / (double) (RETRIES + 1) / TIMEOUT_UNIT_NANOS;
        return Math.clamp(Math.round(Math.log(Math.max(1, each)) / Math.log(2)), 1, TIMEOUT_MAX);
    }

    /// What a SEND is to wait for a receive, in microseconds; at most what the longest timer, waited out with each retry, gives.
    static int receiverNotReadyMicros(Duration total) {
        return (int) Math.min(NicClock.nanosOf(total) / 1000, (long) RETRIES * TIMER_MICROS[TIMER_MICROS.length - 1]);
    }

    /// The code for `min_rnr_timer` of who serves a peer with that patience: the shortest timer that uses it up.
    static int receiverNotReadyTimer(int patienceMicros) {
        int each = patienceMicros / RETRIES;
        for (int i = 0; i < TIMER_MICROS.length - 1; i++) {
            if (TIMER_MICROS[i] >= each) {
                return i + 1;
            }
        }
        return 0;
    }
}
