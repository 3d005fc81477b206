package tools;

import ca.uhn.fhir.context.FhirContext;
import java.util.HashMap;
import java.util.Map;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Questionnaire;

/** Resources that others may refer to by canonical URL, Questionnaires among them. */
final class Known extends PrePopulatedValidationSupport {
    private final Map<String, Questionnaire> questionnaires = new HashMap<>();

    Known(FhirContext fhir) {
        super(fhir);
    }

    @Override
    public void addResource(IBaseResource resource) {
        if (resource instanceof Questionnaire form) {
            questionnaires.put(form.getUrl(), form);
            questionnaires.put(form.getUrl() + "|" + form.getVersion(), form);
        } else {
            super.addResource(resource);
        }
    }

    @Override
    public <T extends IBaseResource> T fetchResource(Class<T> type, String url) {
        Questionnaire form = questionnaires.get(url);
        boolean asked = form != null && type != null && type.isInstance(form);
        return asked ? type.cast(form) : super.fetchResource(type, url);
    }
}
