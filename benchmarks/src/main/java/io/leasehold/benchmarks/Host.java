package io.leasehold.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Where the processes of a run live: their files and processors.
///
/// @param directory for sockets and logs; removed at the end
/// @param processor the only one that the processes may use, or [#ANY]
record Host(Path directory, int processor) implements AutoCloseable {
    static final int ANY = -1;

    static Host create() throws IOException {
        return new Host(Files.createTempDirectory("leasehold-bench"), ANY);
    }

    /// The same on one processor.
    Host on(int number) {
        return new Host(directory, number);
    }

    /// The beginning of a command line that runs `program` in its place.
    List<String> placed(String program) {
        List<String> command = new ArrayList<>();
        if (processor != ANY) {
            command.addAll(List.of("taskset", "-c", Integer.toString(processor)));
        }
        command.add(program);
        return command;
    }

    /// A file in memory, if the host has such, that goes at the end.
    Path sharedFile(String name) throws IOException {
        Path memory = Path.of("/dev/shm");
        Path file = Files.createTempFile(Files.isWritable(memory) ? memory : directory, "leasehold-bench-" + name, "");
        file.toFile().deleteOnExit();
        return file;
    }

    @Override
    public void close() {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
