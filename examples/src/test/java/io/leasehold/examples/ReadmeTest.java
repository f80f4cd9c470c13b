package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.Lease;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.structures.Codec;
import io.leasehold.structures.RemoteHashMap;
import io.leasehold.structures.RemoteQueue;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What the README shows compiles and runs, and the tests that it names exist.
final class ReadmeTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern CODE = Pattern.compile("(?s)```java\n(.*?)\n```");
    private static final Pattern RUN_HERE = Pattern.compile("(?s)// From the README:\n(.*?)\n *// Up to here.");
    private static final Pattern PROPERTY = Pattern.compile("`(p\\d\\d_\\w+)`");
    private static final Pattern TEST_NAME = Pattern.compile("`(\\w+(?:Test|Properties))`");

    @Test
    @Timeout(60)
    void codeRuns() throws InterruptedException {
        // From the README:
        try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20));                // owns the memory
                Session session = Session.connect(node.address(), SessionOptions.defaults());   // most often from another process
                RemoteHashMap<String, Long> stock = RemoteHashMap.open(session, "stock", Codec.UTF_8, Codec.LONG);
                RemoteQueue<String> orders = RemoteQueue.open(session, "orders", Codec.UTF_8)) {
            stock.put("apples", 10L);                 // a ConcurrentMap
            orders.put("apples");                     // a BlockingQueue
            stock.merge(orders.take(), -1L, Long::sum);

            RemoteAddress page = session.allocate(4096);
            try (Lease lease = session.acquireWrite(page, 4096, Duration.ofSeconds(1))) {
                lease.write(0, new byte[] {1, 2, 3});
                lease.fetchAndAdd(8, 1);
                lease.extend(Duration.ofSeconds(1));  // one compare-and-swap: the node's CPU takes no part
            }                                         // the key is dead when close() returns
        }
        // Up to here.
    }

    @Test
    void codeIsWhatRunsHere() throws IOException {
        assertThat(first(CODE, "README.md")).isEqualTo(first(RUN_HERE,
                "examples/src/test/java/io/leasehold/examples/ReadmeTest.java").stripIndent());
    }

    @Test
    void namedTestsExist() throws IOException {
        Set<String> names = all(TEST_NAME);
        assertThat(names).hasSizeGreaterThan(10);
        Set<String> sources = new TreeSet<>();
        try (DirectoryStream<Path> modules = Files.newDirectoryStream(ROOT, module -> Files.exists(module.resolve("src/test")))) {
            for (Path module : modules) {
                try (Stream<Path> files = Files.walk(module.resolve("src/test"))) {
                    files.forEach(file -> sources.add(file.getFileName().toString()));
                }
            }
        }
        assertThat(names).allSatisfy(name -> assertThat(sources).contains(name + ".java"));
    }

    @Test
    void namedPropertiesExist() throws IOException {
        String contract = Files.readString(ROOT.resolve("lease/src/test/java/io/leasehold/lease/LeaseContract.java"));
        assertThat(all(PROPERTY)).hasSizeGreaterThan(10).allSatisfy(name -> assertThat(contract).contains("void " + name + "("));
    }

    /// What the README names.
    private static Set<String> all(Pattern name) throws IOException {
        Set<String> names = new TreeSet<>();
        name.matcher(Files.readString(ROOT.resolve("README.md"))).results().map(found -> found.group(1)).forEach(names::add);
        return names;
    }

    private static String first(Pattern pattern, String file) throws IOException {
        String text = Files.readString(ROOT.resolve(file));
        return pattern.matcher(text).results().map(found -> found.group(1)).findFirst().orElseThrow();
    }
}
