package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Runs the demo as `bin/leasehold demo` does: a process that starts the others.
@Timeout(value = 180, unit = TimeUnit.SECONDS)
final class WordCountTest {
    private static final Path BOOK = Path.of("data", "king-james-bible.txt");
    /// Enough for a process to be killed meanwhile.
    private static final int BOOK_LINES = 15_000;
    private static final int PATIENCE_SECONDS = 120;
    private static final Pattern PROCESS = Pattern.compile("^(leasehold node|consumer \\d+|producer \\d+).*\\bprocess (\\d+)$");

    @TempDir
    Path directory;

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void endProcesses() {
        started.forEach(Process::destroyForcibly);
    }

    @Test
    void totalsAreRight_fewLines() throws Exception {
        Path text = directory.resolve("text");
        Files.writeString(text,
                "To be, or not to be:\r\nthat's the question\n\n" + "x".repeat(5_000) + "\nnaïve Ärger \uD83D\uDE00");
        Process demo = start("--producers", "3", "--consumers", "1", text.toString());
        assertThat(output(demo)).contains("15 words, 11 different", "Every count equals");
        assertThat(exitCode(demo)).isZero();
    }

    @Test
    void totalsAreRight_nodeOfSomebodyElse() throws Exception {
        Path text = directory.resolve("text");
        Files.writeString(text, "To be, or not to be");
        NodeOptions options = NodeOptions.ofMemory(256 << 20);
        try (MemoryNode node = MemoryNode.start(options.withDevice(options.device().withAddress("127.0.0.1", 0)))) {
            Process demo = start("--node", node.address().toString(), text.toString());
            assertThat(output(demo)).contains("6 words, 4 different", "Every count equals").doesNotContain("leasehold node");
            assertThat(exitCode(demo)).isZero();
        }
    }

    /// Two hosts, on one.
    @Test
    void totalsAreRightOnBoth_twoHosts() throws Exception {
        String text = beginningOfBook();
        NodeOptions options = NodeOptions.ofMemory(256 << 20);
        try (MemoryNode node = MemoryNode.start(options.withDevice(options.device().withAddress("127.0.0.1", 0)))) {
            String[] common = {"--node", node.address().toString(), "--hosts", "2", "--producers", "1", "--consumers", "1"};
            Process first = start(concat(common, "--host", "1", text));
            Process second = start(concat(common, "--host", "2", text));
            for (Process demo : List.of(first, second)) {
                assertThat(output(demo)).contains("consumer 1: ", "consumer 2: ", "Every count equals");
                assertThat(exitCode(demo)).isZero();
            }
        }
    }

    private static String[] concat(String[] words, String... more) {
        return Stream.concat(Stream.of(words), Stream.of(more)).toArray(String[]::new);
    }

    @Test
    void totalsAreRight_consumerKilledHalfWay() throws Exception {
        Process demo = start("--kill-consumer", beginningOfBook());
        // It had counted chunks, so it was at work, and what it held is among the totals.
        assertThat(output(demo)).containsPattern("consumer 2: [1-9][0-9,]* chunks?, then it was killed")
                .contains("was killed by signal 9", "Every count equals");
        assertThat(exitCode(demo)).isZero();
    }

    @Test
    void totalsAreRight_consumerKilledFromOutside() throws Exception {
        Process demo = start(beginningOfBook());
        await(demo, "consumer 1").destroyForcibly();
        assertThat(output(demo)).contains("consumer 1", "was killed by signal 9", "Every count equals");
        assertThat(exitCode(demo)).isZero();
    }

    @Test
    void failsSoon_nodeKilled() throws Exception {
        Process demo = start(beginningOfBook());
        ProcessHandle node = await(demo, "leasehold node");
        ProcessHandle consumer = await(demo, "consumer 1");
        node.destroyForcibly();
        assertThat(output(demo)).contains("node").doesNotContain("Every count equals");
        assertThat(exitCode(demo)).isEqualTo(1);
        assertGone(consumer);
    }

    @Test
    void childrenEnd_parentKilled() throws Exception {
        Process demo = start(beginningOfBook());
        List<ProcessHandle> children =
                List.of(await(demo, "leasehold node"), await(demo, "consumer 1"), await(demo, "consumer 2"));
        demo.destroyForcibly();
        for (ProcessHandle child : children) {
            assertGone(child);
        }
    }

    @Test
    void saysWhatIsWrong_commandLine() throws Exception {
        for (List<String> arguments : List.of(List.of("--consumers", "0"), List.of("--nonsense"), List.of("no-such-file"),
                List.of("--consumers", "1", "--kill-consumer"), List.of("--node"), List.of("--device", "rxe0"),
                List.of("--hosts", "2"), List.of("--host", "2"), List.of("--node", "a", "--conf", "b"))) {
            Process demo = start(arguments.toArray(String[]::new));
            assertThat(output(demo)).as("%s", arguments).contains("WordCount: ", "Usage");
            assertThat(exitCode(demo)).as("%s", arguments).isEqualTo(2);
        }
    }

    private String beginningOfBook() throws IOException {
        Path text = directory.resolve("beginning");
        try (Stream<String> lines = Files.lines(BOOK)) {
            Files.write(text, lines.limit(BOOK_LINES).toList());
        }
        return text.toString();
    }

    private Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), WordCount.class.getName()));
        command.addAll(List.of(arguments));
        Process demo = new ProcessBuilder(command).redirectErrorStream(true).start();
        started.add(demo);
        return demo;
    }

    /// The process that the demo says it started under this name; reads the output up to there.
    private static ProcessHandle await(Process demo, String name) throws IOException {
        for (String line = demo.inputReader().readLine(); line != null; line = demo.inputReader().readLine()) {
            Matcher matcher = PROCESS.matcher(line);
            if (matcher.matches() && matcher.group(1).equals(name)) {
                return ProcessHandle.of(Long.parseLong(matcher.group(2))).orElseThrow();
            }
        }
        throw new AssertionError("the demo ended without a process " + name);
    }

    /// The rest of the output.
    private static String output(Process demo) throws IOException {
        StringBuilder text = new StringBuilder();
        for (String line = demo.inputReader().readLine(); line != null; line = demo.inputReader().readLine()) {
            text.append(line).append('\n');
        }
        return text.toString();
    }

    private static int exitCode(Process demo) throws InterruptedException {
        assertThat(demo.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).as("the demo ends").isTrue();
        return demo.exitValue();
    }

    private static void assertGone(ProcessHandle process) {
        assertThat(process.onExit()).succeedsWithin(30, TimeUnit.SECONDS);
    }
}
