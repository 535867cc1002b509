package localtrino;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.plugin.tpch.TpchPlugin;
import io.trino.server.testing.TestingTrinoServer;
import io.trino.spi.Plugin;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * A real, single-node Trino in this JVM.
 *
 *   LocalTrino serve [PORT]    HTTP server (default 8080) until killed
 *   LocalTrino stdin           JSON lines on stdin -> JSON lines on stdout
 *
 * A stdin line is either a JSON object {"id":..,"sql":..,"catalog":..,"schema":..,"timezone":..,"session":{..}}
 * or else plain SQL text (one statement, no ';').
 *
 * Environment: LOCAL_TRINO_PROPS = engine settings, LOCAL_TRINO_LOG = log level, LOCAL_TRINO_AWS_ENDPOINT = lake in S3 + Glue there,
 * LOCAL_TRINO_LAKE = the folder that local:/// means (default: the working directory's ./lake), LOCAL_TRINO_AWS_KEY = the access
 * key by which that endpoint tells this server from its clients, LOCAL_TRINO_TIMESTAMPS = precision of Hive's timestamps
 */
public final class LocalTrino
{
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    public static void main(String[] args)
    {
        PrintStream err = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.err), true, UTF_8);
        try {
            start(args, err);
        }
        catch (Throwable t) {
            t.printStackTrace(err); // Logging takes System.err over, and the server's threads would keep a dead JVM alive
            Runtime.getRuntime().halt(1);
        }
    }

    private static void start(String[] args, PrintStream err)
            throws Exception
    {
        long t0 = System.nanoTime();
        PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, UTF_8);
        System.setOut(System.err); // whatever the engine prints is not a result
        io.airlift.log.Logging logging = io.airlift.log.Logging.initialize();
        logging.setLevel("", io.airlift.log.Level.valueOf(System.getenv().getOrDefault("LOCAL_TRINO_LOG", "ERROR")));
        boolean serve = args.length > 0 && args[0].equals("serve");
        String port = serve ? (args.length > 1 ? args[1] : "8080") : "0";

        Path root = Path.of(System.getenv().getOrDefault("LOCAL_TRINO_LAKE", "lake")).toAbsolutePath();
        Files.createDirectories(root.resolve("_metastore"));

        Map<String, String> properties = new HashMap<>();
        properties.put("http-server.http.port", port);
        // LOCAL_TRINO_PROPS: engine settings, e.g. "a.b=true;c.d=1" 
        for (String p : System.getenv().getOrDefault("LOCAL_TRINO_PROPS", "").split(";")) {
            if (p.contains("=")) {
                properties.put(p.substring(0, p.indexOf('=')).strip(), p.substring(p.indexOf('=') + 1).strip());
            }
        }

        TestingTrinoServer server = TestingTrinoServer.builder()
                .setCoordinator(true)
                .setProperties(properties)
                .build();
        server.installPlugin(new MemoryPlugin());
        server.createCatalog("memory", "memory", Map.of("memory.max-data-per-node", "512MB"));
        server.installPlugin(new TpchPlugin());
        server.createCatalog("tpch", "tpch", Map.of());
        // named as Athena names it; Hudi and Iceberg tables found in it are read by their own connectors
        lakeCatalog(server, root, "awsdatacatalog", "io.trino.plugin.hive.HivePlugin", Map.of(
                "hive.hudi-catalog-name", "hudi",
                "hive.iceberg-catalog-name", "iceberg",
                "hive.collect-column-statistics-on-write", "false",
                "hive.non-managed-table-writes-enabled", "true",
                "hive.non-managed-table-creates-enabled", "true",
                "hive.parquet.time-zone", "UTC",
                "hive.timestamp-precision", System.getenv().getOrDefault("LOCAL_TRINO_TIMESTAMPS", "MICROSECONDS"),
                "hive.recursive-directories", "true",
                "hive.partition-projection-enabled", "true"));
        lakeCatalog(server, root, "hudi", "io.trino.plugin.hudi.HudiPlugin", Map.of());
        lakeCatalog(server, root, "iceberg", "io.trino.plugin.iceberg.IcebergPlugin", Map.of());
        unloadCatalog(server, root);
        URI base = server.getBaseUrl();
        err.printf("READY %s after %.1f s%n", base, (System.nanoTime() - t0) / 1e9);

        if (serve) {
            waitForEnd();
            return;
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isBlank()) {
                continue;
            }
            JsonNode request;
            if (line.stripLeading().startsWith("{")) {
                request = JSON.readTree(line);
            }
            else {
                request = JSON.createObjectNode().put("sql", line.strip());
            }
            out.println(JSON.writeValueAsString(run(base, request)));
            out.flush();
        }
        out.flush();
        Runtime.getRuntime().halt(0); // close() takes seconds and nothing is kept
    }

    /** For ever; or until the process is gone whose number LOCAL_TRINO_PARENT gives. */
    private static void waitForEnd()
            throws InterruptedException
    {
        String parent = System.getenv("LOCAL_TRINO_PARENT");
        while (parent == null || ProcessHandle.of(Long.parseLong(parent)).map(ProcessHandle::isAlive).orElse(false)) {
            Thread.sleep(1000);
        }
        Runtime.getRuntime().halt(0);
    }

    private static ObjectNode run(URI base, JsonNode request)
    {
        ObjectNode result = JSON.createObjectNode();
        if (request.has("id")) {
            result.set("id", request.get("id"));
        }
        String sql = request.path("sql").asText();
        result.put("sql", sql);
        long t0 = System.nanoTime();
        try {
            HttpRequest.Builder post = HttpRequest.newBuilder(base.resolve("/v1/statement"))
                    .header("X-Trino-User", "analyst")
                    .header("X-Trino-Source", "local-trino")
                    .header("X-Trino-Catalog", request.path("catalog").asText("memory"))
                    .header("X-Trino-Schema", request.path("schema").asText("default"))
                    .header("X-Trino-Time-Zone", request.path("timezone").asText("UTC"))
                    // without this every timestamp/time is given with precision 3
                    .header("X-Trino-Client-Capabilities", "PATH,PARAMETRIC_DATETIME,SESSION_AUTHORIZATION,NUMBER,VARIANT")
                    .POST(HttpRequest.BodyPublishers.ofString(sql, UTF_8));
            Map<String, String> session = new LinkedHashMap<>();
            request.path("session").fields().forEachRemaining(e -> session.put(e.getKey(), e.getValue().asText()));
            session.forEach((k, v) -> post.header("X-Trino-Session", k + "=" + URLEncoder.encode(v, UTF_8)));

            ArrayNode columns = null;
            ArrayNode rows = JSON.createArrayNode();
            HttpRequest next = post.build();
            while (next != null) {
                HttpResponse<String> response = HTTP.send(next, HttpResponse.BodyHandlers.ofString(UTF_8));
                if (response.statusCode() == 502 || response.statusCode() == 503 || response.statusCode() == 504) {
                    Thread.sleep(50);
                    continue;
                }
                if (response.statusCode() != 200) {
                    throw new IllegalStateException("HTTP " + response.statusCode() + ": " + response.body());
                }
                JsonNode body = JSON.reader().with(com.fasterxml.jackson.databind.DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).readTree(response.body());
                if (columns == null && body.has("columns")) {
                    columns = JSON.createArrayNode();
                    for (JsonNode c : body.get("columns")) {
                        columns.addObject().put("name", c.get("name").asText()).put("type", c.get("type").asText());
                    }
                }
                if (body.has("data")) {
                    body.get("data").forEach(rows::add);
                }
                if (body.has("updateType")) {
                    result.set("updateType", body.get("updateType"));
                }
                if (body.has("updateCount")) {
                    result.set("updateCount", body.get("updateCount"));
                }
                if (body.has("error")) {
                    JsonNode e = body.get("error");
                    result.put("ok", false);
                    ObjectNode error = result.putObject("error");
                    error.set("name", e.get("errorName"));
                    error.set("type", e.get("errorType"));
                    error.set("message", e.get("message"));
                    if (e.has("errorLocation")) {
                        error.set("location", e.get("errorLocation"));
                    }
                    break;
                }
                next = body.has("nextUri") ? HttpRequest.newBuilder(URI.create(body.get("nextUri").asText())).header("X-Trino-User", "analyst").GET().build() : null;
            }
            if (!result.has("ok")) {
                result.put("ok", true);
                result.set("columns", columns == null ? JSON.createArrayNode() : columns);
                result.set("rows", rows);
            }
        }
        catch (Exception e) {
            result.put("ok", false);
            result.putObject("error").put("name", "HARNESS").put("message", e.toString());
        }
        result.put("ms", (System.nanoTime() - t0) / 1_000_000);
        return result;
    }

    /** One catalog over the lake: files under LOCAL_TRINO_LAKE with a file metastore, or S3 and Glue at LOCAL_TRINO_AWS_ENDPOINT. */
    private static void lakeCatalog(TestingTrinoServer server, Path root, String name, String plugin, Map<String, String> more)
            throws Exception
    {
        if (!present(plugin)) {
            return;
        }
        Map<String, String> properties = new HashMap<>(more);
        String endpoint = System.getenv("LOCAL_TRINO_AWS_ENDPOINT");
        if (endpoint == null) {
            properties.putAll(Map.of(
                    "hive.metastore.catalog.dir", "local:///_metastore",
                    "hive.metastore.disable-location-checks", "true",
                    "fs.native-local.enabled", "true",
                    "local.location", root.toString()));
            properties.put(name.equals("iceberg") ? "iceberg.catalog.type" : "hive.metastore", name.equals("iceberg") ? "TESTING_FILE_METASTORE" : "file");
        }
        else {
            String region = System.getenv().getOrDefault("AWS_REGION", "us-east-1");
            properties.putAll(Map.of(
                    "hive.metastore.glue.endpoint-url", endpoint,
                    "hive.metastore.glue.region", region,
                    "hive.metastore.glue.aws-access-key", key(),
                    "hive.metastore.glue.aws-secret-key", key()));
            properties.putAll(s3());
            properties.put(name.equals("iceberg") ? "iceberg.catalog.type" : "hive.metastore", "glue");
        }
        server.installPlugin((Plugin) Class.forName(plugin).getConstructor().newInstance());
        server.createCatalog(name, name.equals("awsdatacatalog") ? "hive" : name, properties);
    }

    /** Where UNLOAD becomes CREATE TABLE AS: files on S3, names in a metastore of its own that no catalog shows. */
    private static void unloadCatalog(TestingTrinoServer server, Path root)
    {
        if (System.getenv("LOCAL_TRINO_AWS_ENDPOINT") == null) {
            return;
        }
        Map<String, String> properties = new HashMap<>(Map.of(
                "hive.metastore", "file",
                "hive.metastore.catalog.dir", "local:///_unload",
                "hive.metastore.disable-location-checks", "true",
                "fs.native-local.enabled", "true",
                "local.location", root.toString(),
                "hive.non-managed-table-writes-enabled", "true",
                "hive.non-managed-table-creates-enabled", "true",
                "hive.parquet.time-zone", "UTC",
                "hive.timestamp-precision", "MICROSECONDS"));
        properties.putAll(s3());
        server.createCatalog("unload", "hive", properties);
    }

    private static Map<String, String> s3()
    {
        return Map.of(
                "fs.native-s3.enabled", "true",
                "s3.endpoint", System.getenv("LOCAL_TRINO_AWS_ENDPOINT"),
                "s3.region", System.getenv().getOrDefault("AWS_REGION", "us-east-1"),
                "s3.path-style-access", "true",
                "s3.aws-access-key", key(),
                "s3.aws-secret-key", key());
    }

    private static String key()
    {
        return System.getenv().getOrDefault("LOCAL_TRINO_AWS_KEY", "test");
    }

    private static boolean present(String className)
    {
        try {
            Class.forName(className);
            return true;
        }
        catch (ClassNotFoundException e) {
            return false;
        }
    }

    private LocalTrino() {}
}
