// Reads a compose file as docker compose does, by the package that it is made of, and prints what it means. A key that does not exist, a wrong
// type or a name that nothing has is an error.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithName("hooks"))
	if err == nil {
		project, wrong := options.LoadProject(context.Background())
		if err = wrong; err == nil {
			text, _ := project.MarshalYAML()
			fmt.Print(string(text))
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
