package io.leasehold.examples;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A process of [WordCount] that puts its share of the chunks on the queue.
final class Producer {
    private static final long ROOM_PATIENCE_SECONDS = 60;

    private Producer() {
    }

    /// Puts every chunk whose number is `share` modulo `shares`.
    ///
    /// @return the exit code
    static int run(String address, String device, int share, int shares, List<Path> files)
            throws IOException, InterruptedException {
        Lifeline lifeline = Lifeline.ofStandardInput();
        try (WordCountStore store = WordCountStore.open(address, device)) {
            for (Chunk chunk : Chunk.split(files)) {
                if (lifeline.isCut()) {
                    return 1;
                }
                if (chunk.number() % shares == share && !store.chunks().offer(chunk, ROOM_PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    throw new IllegalStateException("the queue was full for " + ROOM_PATIENCE_SECONDS + " s");
                }
            }
            return 0;
        }
    }
}
