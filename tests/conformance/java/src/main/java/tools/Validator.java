package tools;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.NpmPackageValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * HL7's validation engine, R4, as a program: {@code Validator PACKAGE...}, packages by their file
 * names on the class path.
 *
 * <p>Each line of standard input is {@code {"resource": {...}, "profile": "url"}} (the profile may
 * be absent), each line of standard output the findings: {@code [{"severity", "location",
 * "message", "id"}]}. A line {@code {"known": {...}}} gives a resource that later ones may refer to
 * by its canonical URL, and is answered with no findings.
 */
public final class Validator {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final FhirContext fhir = FhirContext.forR4();
    private final Known known = new Known(fhir);
    private final FhirValidator engine;

    private Validator(String[] packages) throws IOException {
        FhirInstanceValidator module = new FhirInstanceValidator(supports(packages));
        module.setErrorForUnknownProfiles(true);
        engine = fhir.newValidator().registerValidatorModule(module);
    }

    public static void main(String[] packages) throws IOException {
        PrintStream out = System.out;
        System.setOut(System.err); // libraries that print shall not disturb the answers
        Validator validator = new Validator(packages);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            byte[] answer = JSON.writeValueAsBytes(validator.answer(JSON.readTree(line)));
            out.write(answer, 0, answer.length);
            out.write('\n');
            out.flush();
        }
    }

    private ValidationSupportChain supports(String[] packages) throws IOException {
        NpmPackageValidationSupport guides = new NpmPackageValidationSupport(fhir);
        for (String name : packages) {
            guides.loadPackageFromClasspath("classpath:" + name);
        }
        return new ValidationSupportChain(
                known,
                guides,
                new DefaultProfileValidationSupport(fhir),
                new CommonCodeSystemsTerminologyService(fhir),
                new InMemoryTerminologyServerValidationSupport(fhir),
                new SnapshotGeneratingValidationSupport(fhir),
                new UnknownCodeSystemWarningValidationSupport(fhir));
    }

    private ArrayNode answer(JsonNode line) {
        if (line.has("known")) {
            known.addResource(fhir.newJsonParser().parseResource(line.get("known").toString()));
            return JSON.createArrayNode();
        }
        return findings(line);
    }

    private ArrayNode findings(JsonNode question) {
        ValidationOptions options = new ValidationOptions();
        if (question.hasNonNull("profile")) {
            options.addProfile(question.get("profile").asText());
        }
        ArrayNode found = JSON.createArrayNode();
        String resource = question.get("resource").toString();
        for (SingleValidationMessage one : engine.validateWithResult(resource, options).getMessages()) {
            found.add(written(one));
        }
        return found;
    }

    private static ObjectNode written(SingleValidationMessage one) {
        return JSON.createObjectNode()
                .put("severity", one.getSeverity().getCode())
                .put("location", one.getLocationString())
                .put("message", one.getMessage())
                .put("id", one.getMessageId());
    }
}
