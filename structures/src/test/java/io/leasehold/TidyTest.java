package io.leasehold;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Reads the source tree of all modules and names, as file:line, what is not tidy in it.
final class TidyTest {

    private static final int COLUMNS_MAX = 140;
    private static final int METHOD_LINES_MAX = 70;
    /// The walk must see at least so many files, so that it cannot pass on nothing.
    private static final int FILES_MIN = 200;

    /// Words that say nothing: name a class by what distinguishes it.
    private static final Pattern EMPTY_NAME =
            Pattern.compile("\\b(?:class|interface|enum|record)\\s+(\\w*(?:Impl|Utils?|Helper|Manager))\\b");
    private static final Pattern PRINT = Pattern.compile("\\bSystem\\s*\\.\\s*out\\b");
    private static final Pattern SLEEP = Pattern.compile("\\bThread\\s*\\.\\s*sleep\\b");
    private static final Pattern UNFINISHED = Pattern.compile("\\b(?:TODO|FIXME)\\b");

    /// Comments, then literals; what they hold is not code. A text block comes before a string, which it would look like.
    private static final Pattern COMMENT_OR_LITERAL = Pattern.compile(
            "(?<comment>//[^\\n]*|/\\*(?s:.*?)\\*/)"
                    + "|\"\"\"(?s:\\\\.|.)*?\"\"\"|\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\\\n])+'");

    private static final Pattern TYPE_HEADER = Pattern.compile("(?s).*\\b(?:class|interface|enum|record)\\s+\\w+.*|.*\\bnew\\b.*\\)\\s*");
    /// A parameter list and perhaps exceptions, or the bare name of a compact constructor.
    private static final Pattern METHOD_HEADER = Pattern.compile(
            "(?s).*\\w\\s*\\(.*\\)\\s*(?:throws\\s[\\w\\s.,@]+)?"
                    + "|\\s*(?:@\\w+\\s+)*(?:(?:public|protected|private)\\s+)?[A-Z]\\w*\\s*");

    @Test
    void sourcesAreTidy() throws IOException {
        Path root = repositoryRoot();
        List<Path> files = javaFiles(root);
        assertThat(files).as("Java files under %s", root).hasSizeGreaterThanOrEqualTo(FILES_MIN);
        Stream<String> untidy = files.stream().flatMap(file -> check(root.relativize(file).toString(), read(file)).stream());
        assertThat(untidy).as("untidy places").isEmpty();
    }

    @Test
    void linesAreCounted() {
        assertThat(check("a/A.java", "x".repeat(COLUMNS_MAX))).isEmpty();
        assertThat(check("a/A.java", "\n" + "x".repeat(COLUMNS_MAX + 1))).containsExactly("a/A.java:2: 141 columns, at most 140");
    }

    @Test
    void methodsAreMeasured() {
        assertThat(check("a/A.java", methodOfLines(METHOD_LINES_MAX))).isEmpty();
        assertThat(check("a/A.java", methodOfLines(METHOD_LINES_MAX + 1))).containsExactly("a/A.java:3: method of 71 lines, at most 70");
    }

    @Test
    void wordsAreFoundInCodeAndNotInText() {
        assertThat(check("a/src/main/A.java", "final class FooUtil {}")).containsExactly("a/src/main/A.java:1: says nothing: FooUtil");
        assertThat(check("a/src/main/A.java", "System.out.println();")).containsExactly("a/src/main/A.java:1: System.out");
        assertThat(check("examples/src/main/A.java", "System.out.println();")).isEmpty();
        assertThat(check("a/src/test/A.java", "Thread.sleep(1);")).containsExactly("a/src/test/A.java:1: Thread.sleep in a test");
        assertThat(check("a/src/main/A.java", "Thread.sleep(1);")).isEmpty();
        assertThat(check("a/A.java", "// FIX" + "ME later")).containsExactly("a/A.java:1: unfinished work: // FIX" + "ME later");
        assertThat(check("a/src/test/A.java", "// System.out\nString s = \"Thread.sleep \\\" TO" + "DO\"; /* class FooUtil */")).isEmpty();
    }

    private static String methodOfLines(int lines) {
        String statements = "        if (c == '}') { run(\"{\"); } // {\n".repeat(lines - 2);
        return "class A {\n    int[] x = {1};\n    @Override void a(@Max(value = 2) int b) throws E {\n" + statements + "    }\n}\n";
    }

    private static List<String> check(String file, String source) {
        List<String> found = new ArrayList<>();
        String[] lines = source.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            int columns = lines[i].codePointCount(0, lines[i].length());
            if (columns > COLUMNS_MAX) {
                found.add(file + ":" + (i + 1) + ": " + columns + " columns, at most " + COLUMNS_MAX);
            }
        }
        String code = checkCommentsAndBlank(file, source, found);
        find(EMPTY_NAME, code, found, file, match -> "says nothing: " + match.group(1));
        boolean mayPrint = file.startsWith("examples") || file.startsWith("benchmarks") || file.contains("src/test/")
                || file.endsWith("Main.java");
        if (!mayPrint) {
            find(PRINT, code, found, file, match -> "System.out");
        }
        if (file.startsWith("testkit") || file.contains("src/test/")) {
            find(SLEEP, code, found, file, match -> "Thread.sleep in a test");
        }
        checkMethods(file, code, found);
        return found;
    }

    /// Returns the source with spaces in place of comments and literals; lines stay where they are.
    private static String checkCommentsAndBlank(String file, String source, List<String> found) {
        StringBuilder code = new StringBuilder(source);
        Matcher matcher = COMMENT_OR_LITERAL.matcher(source);
        while (matcher.find()) {
            String comment = matcher.group("comment");
            if (comment != null && UNFINISHED.matcher(comment).find()) {
                found.add(file + ":" + lineOf(source, matcher.start()) + ": unfinished work: " + comment.strip());
            }
            for (int i = matcher.start(); i < matcher.end(); i++) {
                if (code.charAt(i) != '\n') {
                    code.setCharAt(i, ' ');
                }
            }
        }
        return code.toString();
    }

    private enum Block { TYPE, METHOD, OTHER }

    private record Open(Block block, int line) {}

    /// Follows the braces; what stands before an opening brace tells whether a method begins. Lines count from that brace on.
    private static void checkMethods(String file, String code, List<String> found) {
        Deque<Open> open = new ArrayDeque<>();
        int headerStart = 0;
        int line = 1;
        for (int i = 0; i < code.length(); i++) {
            char c = code.charAt(i);
            if (c == '\n') {
                line++;
            } else if (c == '{') {
                open.push(new Open(blockOf(code.substring(headerStart, i), open.peek()), line));
            } else if (c == '}' && !open.isEmpty()) {
                Open closed = open.pop();
                int lines = line - closed.line + 1;
                if (closed.block == Block.METHOD && lines > METHOD_LINES_MAX) {
                    found.add(file + ":" + closed.line + ": method of " + lines + " lines, at most " + METHOD_LINES_MAX);
                }
            }
            if (c == '{' || c == '}' || c == ';') {
                headerStart = i + 1;
            }
        }
    }

    private static Block blockOf(String header, Open around) {
        if (TYPE_HEADER.matcher(header).matches()) {
            return Block.TYPE;
        }
        boolean inType = around != null && around.block == Block.TYPE;
        return inType && METHOD_HEADER.matcher(header).matches() ? Block.METHOD : Block.OTHER;
    }

    private interface Finding {
        String describe(Matcher match);
    }

    private static void find(Pattern pattern, String code, List<String> found, String file, Finding finding) {
        Matcher matcher = pattern.matcher(code);
        while (matcher.find()) {
            found.add(file + ":" + lineOf(code, matcher.start()) + ": " + finding.describe(matcher));
        }
    }

    private static long lineOf(String text, int index) {
        return 1 + text.substring(0, index).chars().filter(c -> c == '\n').count();
    }

    private static List<Path> javaFiles(Path root) throws IOException {
        List<Path> files = new ArrayList<>();
        Files.walkFileTree(root, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
                String name = directory.getFileName().toString();
                boolean skipped = !directory.equals(root) && (name.startsWith(".") || name.equals("target"));
                return skipped ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (file.toString().endsWith(".java")) {
                    files.add(file);
                }
                return FileVisitResult.CONTINUE;
            }
        });
        files.sort(null);
        return files;
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path repositoryRoot() {
        Path start = Path.of("").toAbsolutePath();
        for (Path directory = start; directory != null; directory = directory.getParent()) {
            if (Files.exists(directory.resolve("bin/leasehold"))) {
                return directory;
            }
        }
        throw new AssertionError("no directory with bin/leasehold above " + start);
    }
}
