package io.leasehold.rdma;

import java.time.Duration;

/// What a queue pair is made of.
///
/// @param sendQueue where completions of send-queue requests go
/// @param receiveQueue where completions of receives go; may be the same
/// @param maxSendRequests places in the send queue (`max_send_wr`)
/// @param maxReceiveRequests places in the receive queue (`max_recv_wr`)
/// @param maxInlineBytes longest inline payload (`max_inline_data`)
/// @param maxReadAtomic reads and atomics that may be on the way at once (`max_rd_atomic`); more are taken and wait, as on hardware
/// @param responseTimeout how long a request may go unanswered before it completes with
///        [WorkCompletionStatus#RETRY_EXC_ERR] (`timeout` and `retry_cnt` in one)
/// @param receiverNotReadyTimeout how long a SEND waits for the peer to post a receive before it completes with
///        [WorkCompletionStatus#RNR_RETRY_EXC_ERR] (`min_rnr_timer` and `rnr_retry` in one)
public record QueuePairOptions(CompletionQueue sendQueue, CompletionQueue receiveQueue, int maxSendRequests,
        int maxReceiveRequests, int maxInlineBytes, int maxReadAtomic, Duration responseTimeout,
        Duration receiverNotReadyTimeout) {

    /// Options with common depths: 128 sends, 128 receives, 256 inline bytes, 16 reads and atomics, 5 s and 1 s of patience.
    public static QueuePairOptions of(CompletionQueue sendQueue, CompletionQueue receiveQueue) {
        return new QueuePairOptions(sendQueue, receiveQueue, 128, 128, 256, 16, Duration.ofSeconds(5), Duration.ofSeconds(1));
    }

    /// The same with other queue depths.
    public QueuePairOptions withDepth(int sends, int receives) {
        return new QueuePairOptions(sendQueue, receiveQueue, sends, receives, maxInlineBytes, maxReadAtomic, responseTimeout,
                receiverNotReadyTimeout);
    }

    /// The same with another inline limit.
    public QueuePairOptions withMaxInlineBytes(int bytes) {
        return new QueuePairOptions(sendQueue, receiveQueue, maxSendRequests, maxReceiveRequests, bytes, maxReadAtomic,
                responseTimeout, receiverNotReadyTimeout);
    }

    /// The same with another `max_rd_atomic`.
    public QueuePairOptions withMaxReadAtomic(int requests) {
        return new QueuePairOptions(sendQueue, receiveQueue, maxSendRequests, maxReceiveRequests, maxInlineBytes, requests,
                responseTimeout, receiverNotReadyTimeout);
    }

    /// The same with other patience.
    public QueuePairOptions withTimeouts(Duration response, Duration receiverNotReady) {
        return new QueuePairOptions(sendQueue, receiveQueue, maxSendRequests, maxReceiveRequests, maxInlineBytes, maxReadAtomic,
                response, receiverNotReady);
    }
}
