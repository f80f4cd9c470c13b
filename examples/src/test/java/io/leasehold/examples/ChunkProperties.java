package io.leasehold.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

final class ChunkProperties {
    @Property(tries = 100)
    void chunksHoldTheText(@ForAll("texts") String text) throws IOException {
        Path file = Files.createTempFile("chunks", ".txt");
        try {
            Files.writeString(file, text);
            List<Chunk> chunks = Chunk.split(List.of(file, file));
            String joined = chunks.stream().map(Chunk::text).collect(Collectors.joining());
            assertThat(joined.replace("\n", "")).isEqualTo((text + text).replace("\n", ""));
            for (int i = 0; i < chunks.size(); i++) {
                assertThat(chunks.get(i).number()).isEqualTo(i);
                assertThat((long) chunks.get(i).lines()).isEqualTo(chunks.get(i).text().lines().count()).isPositive();
                assertThat(chunks.get(i).text().getBytes(StandardCharsets.UTF_8)).hasSizeLessThanOrEqualTo(Chunk.BYTES_MAX);
            }
        } finally {
            Files.delete(file);
        }
    }

    @Provide
    Arbitrary<String> texts() {
        Arbitrary<String> lines = Arbitraries.strings().withChars("ab ß€\n").ofMaxLength(200);
        Arbitrary<String> longLines = Arbitraries.of("x", "€", "\uD83D\uDE00", "x ").flatMap(
                part -> Arbitraries.integers().between(1, 9_000).map(part::repeat));
        return Arbitraries.oneOf(lines, longLines).list().ofMaxSize(8).map(parts -> String.join("\n", parts));
    }
}
