package tools;

import ca.uhn.fhir.rest.server.RestfulServer;
import java.io.IOException;
import java.io.OutputStream;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/** HAPI FHIR JPA, R4, on a free loopback port. */
public final class HapiServer {
    private HapiServer() {}

    /** Says where it is in one line on standard output; serves until standard input ends. */
    public static void main(String[] arguments) throws Exception {
        endWithInput();
        var parts = new AnnotationConfigApplicationContext(HapiConfiguration.class);
        Server server = serverOf(parts.getBean(RestfulServer.class));
        server.start();
        System.out.println("http://127.0.0.1:" + server.getURI().getPort() + "/fhir");
        server.join();
    }

    private static void endWithInput() {
        Thread watch = new Thread(() -> {
            try {
                System.in.transferTo(OutputStream.nullOutputStream());
            } catch (IOException gone) {
                // as good as an end
            }
            Runtime.getRuntime().halt(0);
        });
        watch.setDaemon(true);
        watch.start();
    }

    private static Server serverOf(RestfulServer fhir) {
        Server server = new Server();
        ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(config()));
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        ServletContextHandler context = new ServletContextHandler("/");
        context.addServlet(new ServletHolder(fhir), "/fhir/*");
        server.setHandler(context);
        return server;
    }

    private static HttpConfiguration config() {
        HttpConfiguration config = new HttpConfiguration();
        config.setUriCompliance(UriCompliance.LEGACY); // searches carry "|" and ","
        return config;
    }
}
