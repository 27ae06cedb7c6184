// HAPI FHIR's own JPA server (in memory) on one port of 127.0.0.1, of R4 or of STU3:
//     java -cp 'libraries/*' Server.java PORT [STU3]
// It is put together from the published libraries, since the ready-made server of the
// HAPI project is not among them. It ends when it is told to, or when its parent, who
// holds its standard input, does.

import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.FhirVersionEnum;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.dstu3.JpaDstu3Config;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.provider.dstu3.JpaConformanceProviderDstu3;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.io.IOException;
import java.util.Properties;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

public final class Server {
    @Configuration
    @Import({JpaR4Config.class, Storage.class})
    public static class R4 {}

    @Configuration
    @Import({JpaDstu3Config.class, Storage.class})
    public static class Stu3 {}

    @Configuration
    @Import({
        HapiJpaConfig.class,
        JpaBatch2Config.class,
        Batch2JobsConfig.class,
        SubscriptionChannelConfig.class,
        ThreadPoolFactoryConfig.class
    })
    public static class Storage {
        @Bean
        JpaStorageSettings storageSettings() {
            return new JpaStorageSettings();
        }

        @Bean
        PartitionSettings partitionSettings() {
            return new PartitionSettings();
        }

        @Bean
        SubscriptionSettings subscriptionSettings() {
            return new SubscriptionSettings();
        }

        @Bean
        DataSource dataSource() {
            BasicDataSource source = new BasicDataSource();
            source.setDriver(new org.h2.Driver());
            source.setUrl("jdbc:h2:mem:fhir;DB_CLOSE_DELAY=-1");
            source.setMaxTotal(40);
            return source;
        }

        @Bean
        @Primary
        LocalContainerEntityManagerFactoryBean entityManagerFactory(
                ConfigurableListableBeanFactory beans,
                FhirContext context,
                JpaStorageSettings settings,
                DataSource source) {
            var factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(
                    beans, context, settings);
            factory.setPersistenceUnitName("fhir");
            factory.setDataSource(source);
            Properties properties = new Properties();
            properties.put("hibernate.hbm2ddl.auto", "update");
            properties.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
            properties.put("hibernate.search.enabled", "false");
            factory.setJpaProperties(properties);
            return factory;
        }

        @Bean
        @Primary
        JpaTransactionManager transactionManager(EntityManagerFactory factory) {
            return new JpaTransactionManager(factory);
        }
    }

    public static void main(String[] arguments) throws Exception {
        endWithParent();
        boolean isStu3 = arguments.length > 1 && arguments[1].equals("STU3");
        var beans = new AnnotationConfigApplicationContext(
                isStu3 ? Stu3.class : R4.class);
        var records = isStu3 ? "myResourceProvidersDstu3" : "myResourceProvidersR4";
        serve(speaking(beans, records), Integer.parseInt(arguments[0]));
    }

    private static void endWithParent() {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {}
            } catch (IOException gone) {
                // the same as the end of it
            }
            Runtime.getRuntime().halt(0);
        });
        watch.setDaemon(true);
        watch.start();
    }

    private static RestfulServer speaking(ApplicationContext beans, String records) {
        RestfulServer fhir = new RestfulServer(beans.getBean(FhirContext.class));
        fhir.registerProviders(
                beans.getBean(records, ResourceProviderFactory.class)
                        .createProviders());
        fhir.registerProvider(beans.getBean(IJpaSystemProvider.class));
        fhir.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
        fhir.setServerConformanceProvider(telling(fhir, beans));
        fhir.setDefaultResponseEncoding(EncodingEnum.JSON);
        return fhir;
    }

    private static Object telling(RestfulServer fhir, ApplicationContext beans) {
        var whole = beans.getBean(IFhirSystemDao.class);
        var settings = beans.getBean(JpaStorageSettings.class);
        var parameters = beans.getBean(ISearchParamRegistry.class);
        if (beans.getBean(FhirContext.class).getVersion().getVersion()
                == FhirVersionEnum.DSTU3) {
            return new JpaConformanceProviderDstu3(fhir, whole, settings, parameters);
        }
        return new JpaCapabilityStatementProvider(
                fhir, whole, settings, parameters,
                beans.getBean(IValidationSupport.class));
    }

    private static void serve(RestfulServer fhir, int port) throws Exception {
        var jetty = new org.eclipse.jetty.server.Server();
        var connector = new ServerConnector(jetty);
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        jetty.addConnector(connector);
        var paths = new ServletContextHandler("/");
        paths.addServlet(new ServletHolder(fhir), "/fhir/*");
        jetty.setHandler(paths);
        jetty.start();
        jetty.join();
    }
}
